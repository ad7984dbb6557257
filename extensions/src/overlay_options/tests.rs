use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use builder::store::{DirRecords, DirStore};

use super::*;
use crate::cook::CookOptions;
use crate::fixtures::{image, publish, store};
use crate::overlay_files::overlay_files;
use crate::pull::Limits;
use crate::source::LayoutSource;

fn kitchen(dir: &Path) -> Kitchen {
    let one = NonZeroUsize::MIN;
    let options = CookOptions { level: 3, threads: one, parallel: one, work: dir.join("work") };
    let store = Arc::new(DirStore::open(dir.join("store")).unwrap());
    Kitchen::new(store, Arc::new(DirRecords::open(dir.join("records")).unwrap()), options)
}

/// What the overlay `board` answers whose program is this script.
async fn answer(script: &str, options: &str) -> Result<OverlayOptions, OverlayOptionsError> {
    let (dir, scratch) = (tempfile::tempdir().unwrap(), store());
    let kitchen = kitchen(dir.path());
    let program = format!("#!/bin/sh\n{script}\n");
    let built = image(native().unwrap(), &[&[("installers/board", program.as_bytes())]], &scratch).await;
    let layout = dir.path().join("layout");
    let published = publish(&layout, "siderolabs/sbc:v1", &built, &scratch).await;
    let source = LayoutSource::open(&layout).unwrap();
    let files = overlay_files(&kitchen, &source, &Limits::default(), &published, native().unwrap()).await;
    let told = overlay_options(&kitchen, &files.unwrap(), "board", options).await;
    let left: Vec<_> = fs_err::read_dir(dir.path().join("work")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    told
}

#[tokio::test]
async fn a_program_gets_the_options_and_nothing_else() {
    let script = r#"[ "$*" = get-options ] && [ -z "$(ls -A)" ] && options=$(cat)
echo "name: board
kernelArgs: [console=tty0, 'told=$options', 'env=$(env | cut -d= -f1 | grep -v -e PWD -e _ -e SHLVL | sort | tr '\n' ' ')']
partitionOptions: {offset: 20480}""#;
    let told = answer(script, "a: 1").await.unwrap();
    let expected = OverlayOptions {
        kernel_args: vec!["console=tty0".to_owned(), "told=a: 1".to_owned(), "env=HOME ".to_owned()],
        partition_offset: Some(20480),
    };
    assert_eq!(told, expected);
    let nothing = answer("cat >/dev/null; echo 'kernelArgs: []'", "{}").await.unwrap();
    assert_eq!(nothing, OverlayOptions { kernel_args: Vec::new(), partition_offset: None });
}

#[tokio::test]
async fn a_program_that_refuses_tells_the_caller_why() {
    let error = answer("echo 'no such board' >&2; exit 1", "{}").await.unwrap_err();
    assert_eq!(error.to_string(), "the overlay \"board\" refuses its options: no such board");
    assert_eq!(error.blame(), Blame::Caller);
}

#[tokio::test]
async fn what_is_no_answer_is_refused() {
    for script in [
        "exit 0",
        "echo '['",
        "echo 'kernelArgs: text'",
        "echo 'kernelArgs: [[a]]'",
        "printf 'kernelArgs: [\"a\\\\nb\"]'",
        "echo 'partitionOptions: {offset: -1}'",
        "yes 'kernelArgs: [a]' | head -c 100000",
        "yes x | head -n 200 | sed 's/^/- /; 1s/^/kernelArgs:\\n/'",
    ] {
        let error = answer(script, "{}").await.unwrap_err();
        assert_eq!(error.blame(), Blame::Upstream, "{script}: {error}");
    }
}

#[tokio::test]
async fn a_program_is_asked_once() {
    let (dir, scratch) = (tempfile::tempdir().unwrap(), store());
    let kitchen = kitchen(dir.path());
    let count = dir.path().join("count");
    let program = format!("#!/bin/sh\necho x >> {}\necho 'kernelArgs: [a]'\n", count.display());
    let built = image(native().unwrap(), &[&[("installers/default", program.as_bytes())]], &scratch).await;
    let layout = dir.path().join("layout");
    let published = publish(&layout, "siderolabs/sbc:v1", &built, &scratch).await;
    let source = LayoutSource::open(&layout).unwrap();
    let files =
        overlay_files(&kitchen, &source, &Limits::default(), &published, native().unwrap()).await.unwrap();
    let ask = |options| overlay_options(&kitchen, &files, "", options);
    let (one, two) = tokio::join!(ask("{}"), ask("{}"));
    assert_eq!(one.unwrap(), two.unwrap());
    ask("{}").await.unwrap();
    assert_eq!(fs_err::read_to_string(&count).unwrap(), "x\n");
    ask("a: b").await.unwrap();
    assert_eq!(fs_err::read_to_string(&count).unwrap(), "x\nx\n");
    let missing = overlay_options(&kitchen, &files, "other", "{}").await.unwrap_err();
    assert_eq!(missing.to_string(), "the overlay has no program `installers/other`");
}

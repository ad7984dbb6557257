//! Random trees, judged by `unsquashfs` and by a reader that is not ours.

use std::collections::BTreeMap;
use std::io::{Cursor, Read as _};

use backhand::{FilesystemReader, InnerNode};
use proptest::prelude::*;

use super::*;

/// A path, and what is there: a size and a seed for a file, or the length of a link's target.
type Item = (Vec<u8>, Result<(usize, u32), usize>);

fn item() -> impl Strategy<Value = Item> {
    let path = prop::collection::vec(0_u8..12, 1..5);
    let size = prop_oneof![Just(0), 1_usize..200, 100_000_usize..300_000, Just(131_072), Just(262_144)];
    let content = prop_oneof![
        4 => (size, 0_u32..4).prop_map(Ok),
        // The other reader gives up at longer targets.
        1 => (1_usize..200).prop_map(Err),
    ];
    (path, content)
}

fn planted(items: &[Item]) -> Tree {
    let mut tree = Tree::default();
    for (path, content) in items {
        let path: Vec<String> = path.iter().map(|part| format!("n{part}")).collect();
        let node = match content {
            Ok((size, seed)) => {
                // Seed 0 is zeros.
                let content = if *seed == 0 { vec![0; *size] } else { bytes(*size, *seed) };
                let content = VirtualImage::from_bytes(content);
                Node::File(File { meta: Meta::with_mode(0o640), content, link: None })
            }
            Err(length) => {
                Node::Symlink(Symlink { meta: Meta::with_mode(0o777), target: "t".repeat(*length) })
            }
        };
        // A path through a file is none; then the tree stays as it is.
        drop(tree.insert(&path.join("/"), node));
    }
    tree
}

fn read_by_another(image: Vec<u8>) -> BTreeMap<String, Vec<u8>> {
    let reader = FilesystemReader::from_reader(Cursor::new(image)).unwrap();
    let mut found = BTreeMap::new();
    for node in reader.files() {
        let path = node.fullpath.to_str().unwrap().trim_start_matches('/').to_owned();
        if let InnerNode::File(file) = &node.inner {
            let mut content = Vec::new();
            reader.file(file).reader().read_to_end(&mut content).unwrap();
            found.insert(path, content);
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_trees_survive_a_round_trip(items in prop::collection::vec(item(), 0..40)) {
        let tree = planted(&items);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let image = cooked(&tree, with(ZSTD, 2)).await;
            let file = written(&image);
            same(&tree, Extracted::from(file.path()).root()).await;
            let read = read_by_another(image.to_vec());
            let files = tree.walk().into_iter().filter(|(_, node)| matches!(node, Node::File(_)));
            let expected: Vec<String> = files.map(|(path, _)| path).collect();
            assert_eq!(read.keys().cloned().collect::<Vec<_>>(), {
                let mut sorted = expected;
                sorted.sort();
                sorted
            });
        });
    }
}

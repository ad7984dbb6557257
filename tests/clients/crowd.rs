//! Many clients at once, for a schematic nobody has asked for yet.

use std::thread;

use schematics::Arch;
use tests::{Failure, or_skip, tool};

use crate::programs::BUILT;
use crate::site::{Site, VERSION, create};

const CLIENTS: usize = 32;

/// Pulls everything of an image, checked against its digests by crane, and throws it away.
fn pull(image: &str, arch: Arch) -> Result<String, Failure> {
    let platform = format!("--platform=linux/{arch}");
    tool::run("crane", BUILT, ["export", "--insecure", &platform, image, "/dev/null"])?;
    let digest = tool::run("crane", BUILT, ["digest", "--insecure", image])?;
    Ok(String::from_utf8_lossy(&digest).trim().to_owned())
}

#[test]
fn thirty_two_clients_pull_a_new_schematic_at_once() {
    let pulled = Site::new().and_then(|site| {
        let id = create(&site.factory, "customization: {extraKernelArgs: [crowd]}");
        let image = format!("{}/installer/{id}:{VERSION}", site.host());
        let pulls: Vec<Result<String, Failure>> = thread::scope(|scope| {
            let starts = (0..CLIENTS).map(|number| {
                let image = &image;
                scope.spawn(move || pull(image, Arch::ALL[number % Arch::ALL.len()]))
            });
            let started: Vec<_> = starts.collect();
            started.into_iter().map(|pull| pull.join().unwrap()).collect()
        });
        let digests = pulls.into_iter().collect::<Result<Vec<String>, Failure>>()?;
        let expected = site.digest(&format!("installer/{id}"), VERSION);
        assert_eq!(digests, vec![expected; CLIENTS]);
        Ok(())
    });
    or_skip(pulled);
}

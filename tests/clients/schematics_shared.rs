//! Schematics in a repository that several factories share, Image Factory among them.

use extensions::schematic_image::{SCHEMATIC, SchematicImage};
use fs_err as fs;
use tests::server::Factory;
use tests::{Failure, or_skip, tool};

use crate::programs::BUILT;
use crate::registry::Registry;
use crate::site::{Site, create, text};

const REPOSITORY: &str = "siderolabs/image-factory/schematics";

/// A factory whose schematics are shared in a registry.
fn sharing(registry: &Registry, read_only: bool) -> Factory {
    let repository = format!("registry:http://{}/{REPOSITORY}", registry.host);
    let read_only = read_only.to_string();
    Factory::start(&[("schematic-repository", &repository), ("schematic-repository-read-only", &read_only)])
        .unwrap()
}

fn kernel_argument(argument: &str) -> String {
    format!("customization:\n    extraKernelArgs:\n        - {argument}\n")
}

#[test]
fn what_one_factory_registers_another_one_finds() {
    let shared = Registry::open().map(|registry| {
        let (one, other, reader) =
            (sharing(&registry, false), sharing(&registry, false), sharing(&registry, true));
        let text = kernel_argument("shared");
        let id = create(&one, &text);
        for factory in [&one, &other, &reader] {
            assert_eq!(factory.get(&format!("/schematics/{id}")).text(), text);
        }
        let own = create(&reader, &kernel_argument("kept"));
        assert_eq!(reader.get(&format!("/schematics/{own}")).status, 200);
        assert_eq!(other.get(&format!("/schematics/{own}")).status, 404);
        // What was read once stays when the registry is gone; what may be there is not said to be unknown.
        drop(registry);
        let data = other.stop().unwrap();
        let other =
            Factory::start_on(data, &[("schematic-repository", "registry:http://127.0.0.1:1/a")]).unwrap();
        assert_eq!(other.get(&format!("/schematics/{id}")).text(), text);
        assert_eq!(other.get(&format!("/schematics/{own}")).status, 502);
        let answer = other.post_schematic(&kernel_argument("lost"));
        assert_eq!(answer.status, 502, "{}", answer.text());
    });
    or_skip(shared);
}

#[test]
fn what_oras_reads_and_writes_is_what_factories_share() {
    let read = Site::new().and_then(|site| {
        let registry = Registry::open()?;
        let factory = sharing(&registry, false);
        let id = create(&factory, &kernel_argument("ours"));
        let (host, dir) = (&registry.host, site.place("oras"));
        let to = text(&dir.join("blob"));
        let blob = format!("{host}/{REPOSITORY}@sha256:{id}");
        tool::run("oras", BUILT, ["blob", "fetch", "--plain-http", "--output", &to, &blob])?;
        assert_eq!(fs::read_to_string(&to).unwrap(), kernel_argument("ours"));
        let tagged = format!("{host}/{REPOSITORY}:{id}");
        let manifest = tool::run("oras", BUILT, ["manifest", "fetch", "--plain-http", &tagged])?;
        let expected = SchematicImage::of(&kernel_argument("ours").into()).unwrap();
        assert_eq!(manifest, expected.manifest);

        // As Image Factory pushes one: layer, configuration, manifest.
        let theirs = kernel_argument("theirs");
        let image = SchematicImage::of(&theirs.clone().into()).unwrap();
        let their_id = schematics::Digest::of(theirs.as_bytes()).hex();
        let put = |what: &[&str], bytes: &[u8], to: &str| -> Result<Vec<u8>, Failure> {
            let path = dir.join("put");
            fs::write(&path, bytes).unwrap();
            tool::run("oras", BUILT, [what, &["push", "--plain-http", to, &text(&path)]].concat())
        };
        let place = format!("{host}/{REPOSITORY}");
        put(&["blob"], theirs.as_bytes(), &place)?;
        put(&["blob"], &image.config, &place)?;
        assert_eq!(factory.get(&format!("/schematics/{their_id}")).text(), theirs);
        put(&["manifest"], &image.manifest, &format!("{place}:{their_id}"))?;
        assert_eq!(create(&factory, &theirs), their_id.to_string());
        // Something else under an id is nothing.
        let junk = b"something: else\n";
        put(&["blob"], junk, &place)?;
        let answer = factory.get(&format!("/schematics/{}", schematics::Digest::of(junk).hex()));
        assert_eq!(answer.status, 404, "{}", answer.text());
        assert!(String::from_utf8_lossy(&manifest).contains(SCHEMATIC));
        Ok(())
    });
    or_skip(read);
}

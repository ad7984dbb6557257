//! Media that other people's tools made.

use std::path::Path;
use std::process::Command;

use super::fixture::Fixture;
use super::{FileKind, look};

/// Runs a tool; `false`, and a line that says so, when it is not installed.
fn run(program: &str, arguments: &[&str], dir: &Path) -> bool {
    let system = ["/usr/sbin/", "/sbin/", ""].map(|dir| format!("{dir}{program}"));
    let found = system.iter().find(|path| !path.contains('/') || Path::new(path).exists()).unwrap();
    match Command::new(found).args(arguments).current_dir(dir).env("MTOOLS_SKIP_CHECK", "1").output() {
        Ok(output) => {
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
            true
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: {program} is not installed");
            false
        }
        Err(error) => panic!("cannot start {program}: {error}"),
    }
}

/// Makes a file system of `megabytes` with mkfs.fat, fills it so that the image lies in pieces, and gives its bytes.
async fn fragmented(fixture: &Fixture, width: &str, megabytes: u64, cluster: &str) -> Option<Vec<u8>> {
    let dir = fixture.dir.path();
    fixture.save("image.efi", &fixture.bytes(&fixture.uki).await);
    fixture.save("filler", &vec![1; 5000]);
    fs_err::File::create(dir.join("fat")).unwrap().set_len(megabytes << 20).unwrap();
    if !run("mkfs.fat", &["-F", width, "-s", cluster, "fat"], dir) {
        return None;
    }
    if !run("mmd", &["-i", "fat", "::EFI", "::EFI/Linux", "::a directory with a long name"], dir) {
        return None;
    }
    for number in 0..30 {
        run("mcopy", &["-i", "fat", "filler", &format!("::filler{number}")], dir);
    }
    for number in (0..30).step_by(2) {
        run("mdel", &["-i", "fat", &format!("::filler{number}")], dir);
    }
    run("mcopy", &["-i", "fat", "image.efi", "::EFI/Linux/an image with a long name.EFI"], dir);
    run("mcopy", &["-i", "fat", "image.efi", "::a directory with a long name/SHORT.EFI"], dir);
    Some(fs_err::read(dir.join("fat")).unwrap())
}

#[tokio::test]
async fn file_systems_of_every_width_are_read_in_any_order() {
    let fixture = Fixture::new().await;
    let expected = fixture.authenticode(&fixture.uki).await;
    for (width, megabytes, cluster) in [("12", 4, "4"), ("16", 16, "1"), ("32", 40, "1")] {
        let Some(bytes) = fragmented(&fixture, width, megabytes, cluster).await else { return };
        let report = look(&fixture.save("esp.img", &bytes)).await;
        let mut found: Vec<&str> = report.programs.iter().map(|program| program.path.as_str()).collect();
        found.sort_unstable();
        let paths = ["EFI/Linux/an image with a long name.EFI", "a directory with a long name/SHORT.EFI"];
        assert_eq!(found, paths, "FAT{width}");
        assert!(report.programs.iter().all(|program| program.authenticode == Some(expected)), "FAT{width}");
    }
}

#[tokio::test]
async fn the_partition_of_a_disk_is_found() {
    let fixture = Fixture::new().await;
    let dir = fixture.dir.path();
    let esp = fixture.file_system().await;
    let sectors = esp.len() / 512;
    for kind in ["gpt", "mbr"] {
        let mut disk = vec![0; (4 << 20) + esp.len()];
        disk[2 << 20..][..esp.len()].copy_from_slice(&esp);
        let path = fixture.save("disk", &disk);
        let made = if kind == "gpt" {
            let first = format!("--new=2:{}:{}", (2 << 20) / 512, (2 << 20) / 512 + sectors - 1);
            run("sgdisk", &["-a", "1", "--new=1:64:2047", &first, "--typecode=2:ef00", "disk"], dir)
        } else {
            let mut entry = [0; 16];
            entry[4] = 0xef;
            entry[8..12].copy_from_slice(&4096_u32.to_le_bytes());
            entry[12..].copy_from_slice(&u32::try_from(sectors).unwrap().to_le_bytes());
            disk[462..478].copy_from_slice(&entry);
            disk[510..512].copy_from_slice(&[0x55, 0xaa]);
            fs_err::write(&path, &disk).unwrap();
            true
        };
        if made {
            let report = look(&path).await;
            assert_eq!((report.kind, report.programs.len()), (FileKind::Disk, 4), "{kind}");
        }
    }
}

#[tokio::test]
async fn an_iso_of_xorriso_is_read() {
    let fixture = Fixture::new().await;
    let dir = fixture.dir.path();
    fixture.save("esp.img", &fixture.file_system().await);
    fs_err::create_dir(dir.join("tree")).unwrap();
    // xorriso writes nothing when it has nothing to write.
    fs_err::write(dir.join("tree/file"), "x").unwrap();
    for boot in [
        &["-e", "--interval:appended_partition_2:all::", "-no-emul-boot"][..],
        &["-append_partition", "3", "0xef", "esp.img"],
    ] {
        let common = ["-as", "mkisofs", "-quiet", "-o", "x.iso", "-append_partition", "2", "0xef", "esp.img"];
        let arguments = [&common[..], boot, &["tree"]].concat();
        if !run("xorriso", &arguments, dir) {
            return;
        }
        let report = look(dir.join("x.iso").to_str().unwrap()).await;
        assert_eq!((report.kind, report.programs.len()), (FileKind::Iso, 4));
    }
}

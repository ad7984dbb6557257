//! Cooking a layer against mksquashfs, at the same compressor and level.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::usage::of_children;
use crate::{Figure, RUNS, median};

/// A codec, and a tree of real programs that every machine with a compiler and git has.
struct Cook {
    tree: &'static str,
    /// As `cook_squashfs` takes it.
    codec: &'static str,
    mksquashfs: &'static [&'static str],
}

const COOKS: [Cook; 2] = [
    Cook {
        tree: "/usr/lib/gcc",
        codec: "zstd:9",
        mksquashfs: &["-comp", "zstd", "-Xcompression-level", "9"],
    },
    // A smaller one: xz takes ten times as long.
    Cook { tree: "/usr/lib/git-core", codec: "xz", mksquashfs: &["-comp", "xz"] },
];
const THREADS: &str = "2";

/// What one run costs: bytes, wall seconds, CPU seconds, and peak memory in KiB where it is known.
struct Run {
    bytes: f64,
    wall: f64,
    cpu: f64,
    peak: f64,
}

/// Cooks the trees with our writer and with mksquashfs in turn, so that a machine that slows down slows both.
pub fn print(program: &Path) {
    COOKS.iter().for_each(|cook| print_one(cook, program));
}

fn print_one(cook: &Cook, program: &Path) {
    let work = tempfile::tempdir().unwrap();
    let (image, theirs) = (work.path().join("ours.sqsh"), work.path().join("theirs.sqsh"));
    ours(cook, program, &image);
    let both = |_| (ours(cook, program, &image), mksquashfs(cook, &theirs));
    let runs: Vec<(Run, Run)> = (0..RUNS).map(both).collect();
    let take = |pick: fn(&(Run, Run)) -> f64| median(runs.iter().map(pick).collect());
    let figures = [
        ("wall", "s", take(|r| r.0.wall), take(|r| r.1.wall), 1.0),
        ("CPU", "s", take(|r| r.0.cpu), take(|r| r.1.cpu), 1.0),
        ("size", "MB", take(|r| r.0.bytes) / 1e6, take(|r| r.1.bytes) / 1e6, 1.02),
    ];
    for (what, unit, ours, theirs, most) in figures {
        let what = format!("cook {}, {}, {THREADS} threads: {what}", cook.tree, cook.codec);
        Figure {
            what: &what,
            unit,
            ours,
            reference: Some(("mksquashfs", theirs)),
            budget: Some(theirs * most),
        }
        .print();
    }
    let peak = take(|r| r.0.peak) / 1024.0 / THREADS.parse::<f64>().unwrap();
    let what = format!("cook, {}: memory per worker", cook.codec);
    Figure { what: &what, unit: "MiB", ours: peak, reference: None, budget: Some(32.0) }.print();
}

fn ours(cook: &Cook, program: &Path, image: &PathBuf) -> Run {
    let output =
        Command::new(program).arg(cook.tree).arg(image).args([cook.codec, THREADS]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
    let [bytes, wall, cpu, peak] = numbers.as_slice() else { panic!("unexpected: {text}") };
    Run { bytes: *bytes, wall: wall / 1000.0, cpu: cpu / 1000.0, peak: *peak }
}

fn mksquashfs(cook: &Cook, image: &PathBuf) -> Run {
    drop(std::fs::remove_file(image));
    let cost = of_children(|| {
        let output = Command::new("mksquashfs")
            .arg(cook.tree)
            .arg(image)
            .args(["-all-root", "-noappend", "-no-progress", "-quiet", "-processors", THREADS])
            .args(cook.mksquashfs)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
    let bytes = std::fs::metadata(image).unwrap().len();
    Run { bytes: bytes as f64, wall: cost.wall, cpu: cost.cpu, peak: 0.0 }
}

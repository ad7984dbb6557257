//! Measures the budgets against the tools upstream runs, in the same run.
//!
//! ```text
//! bench FACTORY REFERENCE_LAYOUT REFERENCE_INPUTS COOK_PROGRAM
//! ```
//!
//! One line per figure: ours, the reference's, the ratio, and the budget where there is one. Nothing here fails because
//! a machine is slow; a budget that is missed is said so.

#![allow(missing_docs, unreachable_pub, reason = "a program, not a library")]
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a program for developers that prints, and stops when something is not as it should be"
)]

mod chain;
mod cook;
mod load;
mod registry;
mod rivals;
mod server;
mod sign;
mod storage;
mod usage;

use std::path::PathBuf;

use server::{Asset, Server};

/// The three extensions every measured schematic has.
const EXTENSIONS: [&str; 3] = ["siderolabs/hello", "siderolabs/wireguard", "siderolabs/linux-free"];
const VERSION: &str = "v1.13.0";
/// How often each figure is taken; the median is printed.
const RUNS: usize = 5;

/// One figure.
struct Figure<'a> {
    what: &'a str,
    unit: &'a str,
    ours: f64,
    reference: Option<(&'a str, f64)>,
    budget: Option<f64>,
}

impl Figure<'_> {
    fn print(&self) {
        let reference = self.reference.map_or(String::new(), |(name, value)| {
            format!("  {name} {value:.3} {}  {:.1}x", self.unit, value / self.ours.max(1e-4))
        });
        let budget = self.budget.map_or(String::new(), |limit| {
            let verdict = if self.ours <= limit { "kept" } else { "MISSED" };
            format!("  budget {limit:.3} {}: {verdict}", self.unit)
        });
        println!("{:<44} {:>9.3} {}{reference}{budget}", self.what, self.ours, self.unit);
    }
}

/// Requests a second, beside those of another server.
struct Rate<'a> {
    what: &'a str,
    ours: f64,
    reference: (&'a str, f64),
    /// How many times as many as the other's are wanted.
    least: f64,
}

impl Rate<'_> {
    fn print(&self) {
        let (name, theirs) = self.reference;
        let times = self.ours / theirs.max(1e-4);
        let verdict = if times >= self.least { "kept" } else { "MISSED" };
        println!(
            "{:<44} {:>9.0} /s  {name} {theirs:.0} /s  {times:.2}x  budget {:.1}x: {verdict}",
            self.what, self.ours, self.least
        );
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() {
    // The tools run in directories of their own.
    let arguments: Vec<PathBuf> =
        std::env::args_os().skip(1).map(|path| std::fs::canonicalize(path).unwrap()).collect();
    let [factory, layout, inputs, cook] = arguments.as_slice() else {
        println!("usage: bench FACTORY REFERENCE_LAYOUT REFERENCE_INPUTS COOK_PROGRAM");
        return;
    };
    let server = Server::start(factory, layout);
    figure_start(&server);
    for (name, asset) in [("initramfs", Asset::Initramfs), ("uki", Asset::Uki), ("iso", Asset::Iso)] {
        image_figures(&server, name, asset, &chain::median_of(RUNS, asset, inputs));
    }
    registry::print(&server, inputs);
    storage::print(&server, &storage::OUTPUTS, storage::SCHEMATICS);
    drop(server);
    sign::print(factory, inputs);
    cook::print(cook);
}

fn figure_start(server: &Server) {
    Figure {
        what: "start to ready, empty store",
        unit: "s",
        ours: server.ready_after,
        reference: None,
        budget: None,
    }
    .print();
}

/// New schematic on warm inputs: HEAD, first byte, last byte, each as wall and CPU time.
fn image_figures(server: &Server, name: &str, asset: Asset, chain: &usage::Cost) {
    let path = asset.path();
    server.warm(path);
    let runs: Vec<server::Timing> = (0..RUNS).map(|_| server.measure(path)).collect();
    let take = |pick: fn(&server::Timing) -> f64| median(runs.iter().map(pick).collect());
    let figures = [
        ("HEAD, wall", take(|t| t.head_wall), chain.wall, None),
        ("HEAD, CPU", take(|t| t.head_cpu), chain.cpu, Some(0.050)),
        ("first byte, wall", take(|t| t.first_byte), chain.wall, None),
        ("last byte, wall", take(|t| t.last_byte), chain.wall, None),
        ("last byte, CPU", take(|t| t.get_cpu), chain.cpu, None),
    ];
    for (what, ours, reference, budget) in figures {
        let what = format!("new schematic, {name}: {what}");
        Figure { what: &what, unit: "s", ours, reference: Some(("tool chain", reference)), budget }.print();
    }
}

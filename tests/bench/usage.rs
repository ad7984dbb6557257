//! What a process costs.

use std::time::Instant;

/// Wall and CPU seconds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    pub wall: f64,
    pub cpu: f64,
}

/// Clock ticks per second of `/proc/<pid>/stat` on Linux, on every architecture in use.
const TICKS: f64 = 100.0;

/// CPU seconds used so far by a process and its threads.
pub fn cpu_of(pid: u32) -> f64 {
    fields(&format!("/proc/{pid}/stat"), &[13, 14])
}

/// CPU seconds used by the children this process has waited for.
pub fn cpu_of_children() -> f64 {
    fields("/proc/self/stat", &[15, 16])
}

fn fields(path: &str, wanted: &[usize]) -> f64 {
    let stat = std::fs::read_to_string(path).unwrap();
    // The name in parentheses may hold blanks: count from behind it.
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let numbers: Vec<&str> = rest.split(' ').collect();
    wanted.iter().filter_map(|field| numbers.get(field - 2)?.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// What running `work` costs, children included.
pub fn of_children(work: impl FnOnce()) -> Cost {
    let (cpu, begun) = (cpu_of_children(), Instant::now());
    work();
    Cost { wall: begun.elapsed().as_secs_f64(), cpu: cpu_of_children() - cpu }
}

//! Load, made by wrk: the same for us and for others.

use std::process::Command;

/// How long one run takes.
const SECONDS: &str = "3s";

/// What is asked for, and by how many.
#[derive(Debug, Clone, Copy)]
pub struct Load<'a> {
    pub clients: u32,
    pub header: Option<&'a str>,
    /// Asks for pieces of this many bytes at random places of a whole this long.
    pub pieces: Option<(u64, u64)>,
}

impl Load<'_> {
    /// How many requests a second were answered, all of them well.
    pub fn run(self, url: &str) -> f64 {
        let script = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new("wrk");
        command.args(["-t1", "-d", SECONDS, &format!("-c{}", self.clients)]);
        if let Some(header) = self.header {
            command.args(["-H", header]);
        }
        if let Some((size, whole)) = self.pieces {
            let text = format!(
                "math.randomseed(1)\n\
                 request = function()\n\
                 local at = math.random(0, {}) * {size}\n\
                 return wrk.format(nil, nil, {{ Range = \"bytes=\" .. at .. \"-\" .. at + {} }})\n\
                 end\n",
                whole / size - 1,
                size - 1
            );
            std::fs::write(script.path(), text).unwrap();
            command.arg("-s").arg(script.path());
        }
        let output = command.arg(url).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let refused = text.contains("Non-2xx") || text.contains("Socket errors");
        assert!(output.status.success() && !refused, "{url}: {text}");
        let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
        rate.unwrap().trim().parse().unwrap()
    }
}

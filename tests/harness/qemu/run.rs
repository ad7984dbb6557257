//! Running a machine: start, watch the log, stop.

use std::{
    ffi::OsString,
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    Boot, Ending, Firmware, Machine, Network,
    arguments::{Parts, arguments, program},
    ending::judge,
    firmware::Flash,
    permit::Permit,
    refusals::refusals,
    task::Disks,
};
use crate::{Failure, tool};

/// How often the log is looked at.
const POLL: Duration = Duration::from_millis(200);
/// Lines of the log in an error.
const TAIL: usize = 40;
/// Runs lost to the timer panic before it counts as a failure.
const ATTEMPTS: u32 = 3;

pub(super) fn boot(machine: &Machine) -> Result<Boot, Failure> {
    let _permit = Permit::wait();
    let mut attempt = 1;
    loop {
        match once(machine) {
            Err(Failure::Guest { ending: Ending::TimerPanic, .. }) if attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

fn once(machine: &Machine) -> Result<Boot, Failure> {
    let dir = tempfile::tempdir().map_err(Failure::io("create a directory below", &std::env::temp_dir()))?;
    let serial = dir.path().join("serial.log");
    let messages = dir.path().join("qemu.log");
    let flash = match machine.firmware {
        Firmware::Uefi => Some(Flash::prepare(machine.arch, machine.secure.as_ref(), dir.path())?),
        Firmware::Bios => None,
    };
    let disks = Disks::prepare(machine, dir.path())?;
    let tpm = machine.tpm.as_ref().map(|tpm| tpm.start(dir.path())).transpose()?;
    let parts = Parts { flash: flash.as_ref(), disks: &disks, tpm: tpm.as_ref(), serial: &serial };
    let started = Instant::now();
    let mut running = start(machine, &arguments(machine, &parts), &messages)?;
    let verdict = watch(machine, &mut running, &serial, started)?;
    drop(running);
    if let (Some(kept), Some(flash)) = (&machine.kept, &flash) {
        fs::copy(&flash.vars, kept).map_err(Failure::io("copy", &flash.vars))?;
    }
    let log = read_log(&serial);
    match verdict {
        Ok(facts) => Ok(Boot { facts, refusals: refusals(&log), log, took: started.elapsed() }),
        Err(ending) => Err(explain(ending, &log, &read_log(&messages))),
    }
}

fn start(machine: &Machine, args: &[OsString], messages: &Path) -> Result<Running, Failure> {
    let (name, package) = program(machine.arch);
    let qemu = tool::find(name, package)?;
    let mut command = match &machine.network {
        Network::Tap(netns) => netns.command(&qemu)?,
        Network::None | Network::User { .. } => Command::new(&qemu),
    };
    let file = File::create(messages).map_err(Failure::io("create", messages))?;
    let child = command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file).spawn();
    Ok(Running(child.map_err(Failure::io("start", &qemu))?))
}

fn watch(
    machine: &Machine,
    running: &mut Running,
    serial: &Path,
    started: Instant,
) -> Result<Result<Value, Ending>, Failure> {
    loop {
        // Asked before the log is read: what a machine wrote before it ended counts.
        let ended = running.0.try_wait().map_err(Failure::io("wait for the machine of", serial))?.is_some();
        if let Some(verdict) = judge(&read_log(serial), &machine.stops, machine.options()) {
            return Ok(verdict);
        }
        if ended {
            return Ok(Err(Ending::Ended));
        }
        if started.elapsed() > machine.limit {
            return Ok(Err(Ending::TimedOut(machine.limit)));
        }
        thread::sleep(POLL);
    }
}

/// The log as text; firmware may write anything, and a log that is not there yet is empty.
fn read_log(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}

fn explain(ending: Ending, log: &str, messages: &str) -> Failure {
    if messages.contains("Unknown protocol 'http") || messages.contains("Unknown driver 'http") {
        let hint = "apt-get install qemu-block-extra".to_owned();
        return Failure::Missing { what: "QEMU's http driver".to_owned(), hint };
    }
    let lines: Vec<&str> = log.lines().chain(messages.lines()).collect();
    let tail = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n");
    Failure::Guest { ending, tail }
}

/// A machine that is killed when nobody looks at it any more.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

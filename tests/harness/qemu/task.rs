//! Disks that are not booted from: the task of the guest, its programs, and what it keeps.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Machine;
use crate::{Failure, tool};

/// The image of programs, made by `make setup-test`.
const PROGRAMS: &str = "tpm-tools.sqsh";
/// A disk has whole sectors; the guest drops the zeros.
const SECTOR: usize = 512;

/// The disks of one run.
#[derive(Debug, Default)]
pub(super) struct Disks {
    task: Option<(PathBuf, PathBuf)>,
    state: Option<PathBuf>,
}

impl Disks {
    /// Writes the script into `dir`.
    pub(super) fn prepare(machine: &Machine, dir: &Path) -> Result<Self, Failure> {
        let task = machine.task.as_ref().map(|script| {
            let programs = tool::made(PROGRAMS)?;
            let path = dir.join("task");
            let mut content = script.clone().into_bytes();
            content.resize(content.len().next_multiple_of(SECTOR), 0);
            fs::write(&path, content).map_err(Failure::io("write", &path))?;
            Ok((programs, path))
        });
        Ok(Self { task: task.transpose()?, state: machine.state.clone() })
    }

    /// Serial numbers and files of what the guest only reads.
    pub(super) fn read_only(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let task = self.task.as_ref();
        task.into_iter().flat_map(|(programs, script)| {
            [("factory-tools", programs.as_path()), ("factory-task", script.as_path())]
        })
    }

    /// Serial number and file of what the guest keeps things on.
    pub(super) fn writable(&self) -> Option<(&'static str, &Path)> {
        self.state.as_deref().map(|path| ("factory-state", path))
    }
}

//! The event log of a real boot, as the firmware hands it to the kernel (TCG PC Client Platform Firmware Profile,
//! "crypto agile log").

use signing::{HashAlgorithm, MessageDigest};

/// One event.
pub(super) struct Logged {
    pub(super) pcr: u32,
    pub(super) kind: u32,
    pub(super) digests: Vec<MessageDigest>,
    pub(super) data: Vec<u8>,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.take(2).try_into().unwrap())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take(4).try_into().unwrap())
    }
}

/// The events behind the header, which is an event of the old shape.
pub(super) fn read(log: &[u8]) -> Vec<Logged> {
    let mut reader = Reader(log);
    reader.take(28);
    let header = reader.u32();
    reader.take(header as usize);
    let mut events = Vec::new();
    while !reader.0.is_empty() {
        let (pcr, kind, count) = (reader.u32(), reader.u32(), reader.u32());
        let digests = (0..count).filter_map(|_| digest(&mut reader)).collect();
        let len = reader.u32();
        events.push(Logged { pcr, kind, digests, data: reader.take(len as usize).to_vec() });
    }
    events
}

/// The next digest; `None` when it is SHA-1's.
fn digest(reader: &mut Reader<'_>) -> Option<MessageDigest> {
    let id = reader.u16();
    match HashAlgorithm::ALL.into_iter().find(|bank| bank.tpm_id() == id) {
        Some(bank) => MessageDigest::from_bytes(bank, reader.take(bank.digest_len())),
        None => {
            assert_eq!(id, 4, "SHA-1");
            reader.take(20);
            None
        }
    }
}

/// The content of a variable in an event about it.
pub(super) fn variable(event: &Logged) -> &[u8] {
    let name = usize::from(event.data[16]);
    &event.data[32 + 2 * name..]
}

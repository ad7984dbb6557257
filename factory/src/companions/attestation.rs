//! Signed claims about assets.

use bytes::Bytes;
use signing::in_toto::{self, Statement};

use super::{CompanionError, Companions, Subject};
use crate::documents::provenance;

impl Companions {
    /// The bundle that says how an asset was made. Our keys sign the same each time, so it is the same bytes each time.
    pub(super) async fn provenance(&self, subject: Subject<'_>) -> Result<Bytes, CompanionError> {
        let content = self.contents.of(subject.image).await?.sha256;
        let lock = self.evidence.lock(subject.wanted).await?;
        let statement = Statement {
            predicate: self.evidence.provenance(&lock.asset, &lock, &[])?,
            predicate_type: provenance::PREDICATE_TYPE.to_owned(),
            subjects: vec![in_toto::Subject { name: lock.asset, digest: content }],
        };
        self.signatures.of_statement(&statement)
    }
}

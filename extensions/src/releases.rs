//! Which Talos versions there are.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use schematics::{Blame, Blamed, TalosVersion};
use semver::{Prerelease, Version};
use tokio::sync::Mutex;

use crate::reference::Repository;
use crate::source::{ImageSource, PullError};

/// Which of the tags of a release repository are offered.
#[derive(Debug, Clone)]
pub struct VersionRules {
    /// Older versions are not offered.
    pub minimum: TalosVersion,
    /// Versions that were withdrawn.
    pub broken: Vec<TalosVersion>,
}

/// Why there is no list of versions, or a version is not in it.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The version is not offered. The words are Sidero's Image Factory's.
    #[error("version {} is not available", version.semver())]
    Unavailable {
        /// The version.
        version: TalosVersion,
    },
    /// The list could not be read, and there is no earlier one.
    #[error("could not list the Talos versions in {repository}")]
    List {
        /// Where.
        repository: Repository,
        /// Why.
        #[source]
        source: PullError,
    },
    /// The repository has tags, but none is a version that is offered.
    #[error("none of the {tags} tags of {repository} is a Talos version that is offered here")]
    Empty {
        /// Where.
        repository: Repository,
        /// How many tags it has.
        tags: usize,
    },
}

impl Blamed for ReleaseError {
    fn blame(&self) -> Blame {
        match self {
            Self::Unavailable { .. } => Blame::Missing,
            Self::List { .. } | Self::Empty { .. } => Blame::Upstream,
        }
    }
}

/// The versions a repository offers.
///
/// The last list that could be read is kept: while the source does not answer, what was known stays available.
#[derive(Debug)]
pub struct Releases {
    source: Arc<dyn ImageSource>,
    repository: Repository,
    rules: VersionRules,
    known: RwLock<Option<Arc<[TalosVersion]>>>,
    refreshing: Mutex<()>,
}

impl Releases {
    /// The versions that are tags of `repository`.
    #[must_use]
    pub fn new(source: Arc<dyn ImageSource>, repository: Repository, rules: VersionRules) -> Self {
        Self { source, repository, rules, known: RwLock::default(), refreshing: Mutex::default() }
    }

    /// All versions offered, ascending. Reads the list first when there is none yet.
    ///
    /// # Errors
    /// When there is no list.
    pub async fn versions(&self) -> Result<Arc<[TalosVersion]>, ReleaseError> {
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let _one_at_a_time = self.refreshing.lock().await;
        match self.known() {
            Some(known) => Ok(known),
            None => self.read().await,
        }
    }

    /// Reads the list again. A list that is there stays when it cannot be read; whoever calls this on a schedule
    /// decides how old it may get.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub async fn refresh(&self) -> Result<Arc<[TalosVersion]>, ReleaseError> {
        let _one_at_a_time = self.refreshing.lock().await;
        self.read().await
    }

    /// Refreshes the list every `interval`, for ever. What fails is logged, and the list stays as it was.
    pub async fn keep_fresh(&self, interval: Duration) {
        loop {
            tokio::time::sleep(interval).await;
            if let Err(error) = self.refresh().await {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(
                    error,
                    "the list of Talos versions could not be read again; the last one stays"
                );
            }
        }
    }

    async fn read(&self) -> Result<Arc<[TalosVersion]>, ReleaseError> {
        let repository = self.repository.clone();
        let tags = self
            .source
            .tags(&repository)
            .await
            .map_err(|source| ReleaseError::List { repository: repository.clone(), source })?;
        let versions = select(&tags, &self.rules);
        if versions.is_empty() {
            return Err(ReleaseError::Empty { repository, tags: tags.len() });
        }
        let versions: Arc<[TalosVersion]> = versions.into();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&versions));
        Ok(versions)
    }

    fn known(&self) -> Option<Arc<[TalosVersion]>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The versions that were withdrawn.
    #[must_use]
    pub fn broken(&self) -> &[TalosVersion] {
        &self.rules.broken
    }

    /// The newest version that is no pre-release, or the newest of all when there is none.
    ///
    /// # Errors
    /// When there is no list.
    pub async fn latest(&self) -> Result<TalosVersion, ReleaseError> {
        let versions = self.versions().await?;
        let stable = versions.iter().rev().find(|version| !version.is_prerelease());
        let empty = || ReleaseError::Empty { repository: self.repository.clone(), tags: 0 };
        stable.or_else(|| versions.last()).cloned().ok_or_else(empty)
    }

    /// Makes sure that a version is offered.
    ///
    /// # Errors
    /// When it is not, or there is no list.
    pub async fn require(&self, version: &TalosVersion) -> Result<(), ReleaseError> {
        if self.versions().await?.binary_search(version).is_ok() {
            return Ok(());
        }
        Err(ReleaseError::Unavailable { version: version.clone() })
    }
}

/// The versions among tags that are offered, ascending, each once.
///
/// A tag that is no version is passed over. Pre-releases count only as `alpha`, `beta` or `rc` with a number, and only of
/// the newest minor version there is.
#[must_use]
pub fn select(tags: &[String], rules: &VersionRules) -> Vec<TalosVersion> {
    let mut versions: Vec<TalosVersion> = tags
        .iter()
        .filter_map(|tag| tag.parse().ok())
        .filter(|version: &TalosVersion| *version >= rules.minimum && !rules.broken.contains(version))
        .filter(|version| is_offered_prerelease(&version.semver().pre))
        .filter(|version| version.semver().build.is_empty())
        .collect();
    versions.sort();
    versions.dedup();
    let Some(newest) = versions.last().map(|version| minor(version.semver())) else { return versions };
    versions.retain(|version| !version.is_prerelease() || minor(version.semver()) == newest);
    versions
}

fn minor(version: &Version) -> (u64, u64) {
    (version.major, version.minor)
}

/// Whether it is no pre-release at all, or one of the three kinds that are offered.
fn is_offered_prerelease(pre: &Prerelease) -> bool {
    if pre.is_empty() {
        return true;
    }
    match pre.split_once('.') {
        Some(("alpha" | "beta" | "rc", number)) => number.parse::<u64>().is_ok(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(tags: &[&str], broken: &[&str]) -> Vec<String> {
        let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
        let broken = broken.iter().map(|version| version.parse().unwrap()).collect();
        let rules = VersionRules { minimum: "1.2.0".parse().unwrap(), broken };
        select(&tags, &rules).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn versions_are_sorted_by_meaning_and_the_rest_is_dropped() {
        let tags =
            ["v1.10.0", "v1.9.5", "v1.2.0", "v1.1.9", "latest", "sha256-00.sig", "v1.9.5", "v1.11", ""];
        assert_eq!(selected(&tags, &[]), ["v1.2.0", "v1.9.5", "v1.10.0"]);
        assert_eq!(selected(&["garbage"], &[]), Vec::<String>::new());
    }

    #[tokio::test]
    async fn the_last_good_list_outlives_its_source() {
        use crate::fixtures::{image, publish, repository, store};
        let (dir, store) = (tempfile::tempdir().unwrap(), store());
        let built = image(schematics::Arch::Amd64, &[], &store).await;
        for tag in ["v1.12.0", "v1.13.0", "v1.14.0-beta.0", "garbage"] {
            publish(dir.path(), &format!("siderolabs/imager:{tag}"), &built, &store).await;
        }
        let source = Arc::new(crate::source::LayoutSource::open(dir.path()).unwrap());
        let rules = VersionRules { minimum: "1.2.0".parse().unwrap(), broken: Vec::new() };
        let releases = Releases::new(source.clone(), repository("siderolabs/imager"), rules.clone());
        assert_eq!(releases.latest().await.unwrap().to_string(), "v1.13.0");
        let index = fs_err::read(dir.path().join("index.json")).unwrap();
        for broken in [&b"{}"[..], br#"{"schemaVersion":2,"manifests":[]}"#, b"<html>"] {
            fs_err::write(dir.path().join("index.json"), broken).unwrap();
            assert_eq!(releases.refresh().await.unwrap_err().blame(), Blame::Upstream);
        }
        assert_eq!(releases.versions().await.unwrap().len(), 3);
        assert!(releases.require(&"1.12.0".parse().unwrap()).await.is_ok());
        let error = releases.require(&"v1.11.0".parse().unwrap()).await.unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.blame()),
            ("version 1.11.0 is not available", Blame::Missing)
        );
        let text = String::from_utf8(index).unwrap().replace("v1.", "x1.");
        fs_err::write(dir.path().join("index.json"), text).unwrap();
        let fresh = Releases::new(source, repository("siderolabs/imager"), rules);
        assert!(matches!(fresh.versions().await, Err(ReleaseError::Empty { tags: 4, .. })));
    }

    #[tokio::test]
    async fn the_list_is_kept_fresh() {
        use crate::fixtures::{image, publish, repository, store};
        let (dir, store) = (tempfile::tempdir().unwrap(), store());
        let built = image(schematics::Arch::Amd64, &[], &store).await;
        publish(dir.path(), "siderolabs/imager:v1.12.0", &built, &store).await;
        let source = Arc::new(crate::source::LayoutSource::open(dir.path()).unwrap());
        let rules = VersionRules { minimum: "1.2.0".parse().unwrap(), broken: Vec::new() };
        let releases = Releases::new(source, repository("siderolabs/imager"), rules);
        assert_eq!(releases.versions().await.unwrap().len(), 1);
        publish(dir.path(), "siderolabs/imager:v1.13.0", &built, &store).await;
        assert_eq!(releases.versions().await.unwrap().len(), 1, "nobody has read it again");
        let renewed = async {
            while releases.versions().await.unwrap().len() < 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            () = releases.keep_fresh(Duration::from_millis(1)) => unreachable!("it never ends"),
            () = renewed => {}
            () = tokio::time::sleep(Duration::from_secs(60)) => panic!("it was not read again"),
        }
    }

    #[test]
    fn withdrawn_versions_are_not_offered() {
        assert_eq!(selected(&["v1.13.0", "v1.13.1"], &["1.13.1"]), ["v1.13.0"]);
    }

    #[test]
    fn pre_releases_count_only_of_the_newest_minor_version() {
        let tags = [
            "v1.13.0",
            "v1.13.0-rc.0",
            "v1.14.0-alpha.2",
            "v1.14.0-beta.0",
            "v1.14.0-rc.1",
            "v1.14.0-alpha.0-3-gdead",
            "v1.14.0-dev.1",
            "v1.14.0-rc",
        ];
        assert_eq!(selected(&tags, &[]), ["v1.13.0", "v1.14.0-alpha.2", "v1.14.0-beta.0", "v1.14.0-rc.1"]);
        assert_eq!(selected(&tags[..2], &[]), ["v1.13.0-rc.0", "v1.13.0"]);
    }
}

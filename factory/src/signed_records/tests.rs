use builder::store::{MAX_RECORD, MemoryRecords};

use signing::KeyAlgorithm;

use super::*;

const KIND: RecordKind = RecordKind("images");
const OTHER: RecordKind = RecordKind("extension");

fn key() -> SigningKey {
    SigningKey::new(KeyAlgorithm::Ed25519).unwrap()
}

fn on(inner: &Arc<MemoryRecords>, own: SigningKey, trusted: &[PublicKey]) -> SignedRecords {
    SignedRecords::new(Arc::clone(inner) as Arc<dyn RecordStore>, own, trusted)
}

fn place() -> Digest {
    Digest::of(b"plan")
}

#[tokio::test]
async fn what_was_written_is_read_and_small() {
    let inner = Arc::new(MemoryRecords::default());
    let records = on(&inner, key(), &[]);
    assert_eq!(records.get(KIND, place()).await.unwrap(), None);
    for value in ["one", "", "two"] {
        records.put(KIND, place(), value.into()).await.unwrap();
        assert_eq!(records.get(KIND, place()).await.unwrap().unwrap(), value);
        let stored = inner.get(KIND, place()).await.unwrap().unwrap();
        assert!(stored.len() <= value.len() + 128, "{}", stored.len());
    }
    assert_eq!(records.get(OTHER, place()).await.unwrap(), None);
    assert!(records.put(KIND, place(), vec![0; MAX_RECORD].into()).await.is_err());
    assert_eq!(records.get(KIND, place()).await.unwrap().unwrap(), "two");
}

#[tokio::test]
async fn a_record_means_nothing_under_another_name() {
    let inner = Arc::new(MemoryRecords::default());
    let records = on(&inner, key(), &[]);
    records.put(KIND, place(), "value".into()).await.unwrap();
    let stored = inner.get(KIND, place()).await.unwrap().unwrap();
    let elsewhere = Digest::of(b"another plan");
    for (kind, key) in [(KIND, elsewhere), (OTHER, place()), (OTHER, elsewhere)] {
        inner.put(kind, key, stored.clone()).await.unwrap();
        assert_eq!(records.get(kind, key).await.unwrap(), None, "{kind:?} {key}");
        // It is made again, and takes the place of the other.
        records.put(kind, key, "own".into()).await.unwrap();
        assert_eq!(records.get(kind, key).await.unwrap().unwrap(), "own");
    }
    assert_eq!(records.get(KIND, place()).await.unwrap().unwrap(), "value");
}

#[tokio::test]
async fn no_byte_of_a_record_can_be_changed() {
    let inner = Arc::new(MemoryRecords::default());
    let records = on(&inner, key(), &[]);
    records.put(KIND, place(), "value".into()).await.unwrap();
    let good = inner.get(KIND, place()).await.unwrap().unwrap();
    let mut bad: Vec<Vec<u8>> = (0..good.len()).map(|cut| good[..cut].to_vec()).collect();
    bad.push([&good[..], b"x"].concat());
    bad.push(b"value".to_vec());
    bad.extend((0..good.len()).flat_map(|at| {
        [1, 0x80].map(|bit| {
            let mut flipped = good.to_vec();
            flipped[at] ^= bit;
            flipped
        })
    }));
    for record in bad {
        inner.put(KIND, place(), record.clone().into()).await.unwrap();
        assert_eq!(records.get(KIND, place()).await.unwrap(), None, "{record:?}");
    }
    inner.put(KIND, place(), good).await.unwrap();
    assert_eq!(records.get(KIND, place()).await.unwrap().unwrap(), "value");
}

#[tokio::test]
async fn another_factory_is_believed_only_when_it_is_trusted() {
    let inner = Arc::new(MemoryRecords::default());
    let (own, other) = (key(), key());
    let (own_public, other_public) = (own.public_key().clone(), other.public_key().clone());
    let theirs = on(&inner, other, &[own_public]);
    theirs.put(KIND, place(), "theirs".into()).await.unwrap();
    let alone = on(&inner, key(), &[]);
    assert_eq!(alone.get(KIND, place()).await.unwrap(), None);
    let replica = on(&inner, own, &[other_public]);
    assert_eq!(replica.get(KIND, place()).await.unwrap().unwrap(), "theirs");
    replica.put(KIND, place(), "ours".into()).await.unwrap();
    assert_eq!(theirs.get(KIND, place()).await.unwrap().unwrap(), "ours");
    assert_eq!(alone.get(KIND, place()).await.unwrap(), None);
}

#[test]
fn what_is_wrong_with_a_record_is_told_apart() {
    let inner = Arc::new(MemoryRecords::default());
    let records = on(&inner, key(), &[]);
    let sealed = records.seal(KIND, place(), b"value").unwrap();
    let stranger = on(&inner, key(), &[]).seal(KIND, place(), b"value").unwrap();
    let cut = sealed.slice(..60);
    for (record, doubt) in
        [(Bytes::from_static(b"value"), Doubt::Unsigned), (cut, Doubt::Unsigned), (stranger, Doubt::Stranger)]
    {
        assert_eq!(records.open(KIND, place(), &record), Err(doubt));
    }
    assert_eq!(records.open(OTHER, place(), &sealed), Err(Doubt::Forged));
    assert_eq!(records.open(KIND, place(), &sealed), Ok(Bytes::from_static(b"value")));
}

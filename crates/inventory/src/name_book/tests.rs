use kubemonitor_model::{QosClass, UnixMillis};

use super::*;
use crate::{ContainerMeta, ContainerRole, OwnerRef, Phase, Resources, WorkloadKey, WorkloadKind};

const UID: &str = "a96ab411-2bca-47bf-90b4-002d39ce26bb";

fn pod(uid: &str, ended_at: Option<i64>) -> Arc<PodMeta> {
    let owner = |kind, name: &str| OwnerRef { kind, name: name.into(), uid: EntityId::parse(UID) };
    let resources = Resources { cpu_millicores: Some(100), memory_bytes: None };
    let container = ContainerMeta {
        name: "web".into(),
        role: ContainerRole::Sidecar,
        id: Some(EntityId::parse(&"c".repeat(64))),
        previous_ids: ["a", "b"].map(|digit| EntityId::parse(&digit.repeat(64))).into(),
        image: Some("shop/web:1".into()),
        requests: resources,
        limits: Resources::default(),
        restarts: Some(2),
        running: false,
    };
    Arc::new(PodMeta {
        uid: EntityId::parse(&"0f".repeat(16)),
        api_uid: EntityId::parse(uid),
        namespace: "shop".into(),
        name: "web-5f9c6d7b8-x2k4q".into(),
        node: Some("worker-1".into()),
        phase: Some(Phase::Succeeded),
        ready: None,
        reason: None,
        qos: Some(QosClass::Burstable),
        owner: Some(Arc::new(owner(WorkloadKind::ReplicaSet, "web-5f9c6d7b8"))),
        workload: Some(Arc::new(WorkloadKey::new("shop", WorkloadKind::Deployment, "web"))),
        labels: Some([("app", "web"), ("tier", "\"front\"\n")].into_iter().collect()),
        host_network: Some(false),
        created_at: Some(UnixMillis(1_700_000_000_000)),
        ended_at: ended_at.map(UnixMillis),
        containers: [container].into(),
        requests: resources,
        limits: resources,
        restarts: Some(2),
    })
}

fn path(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("names").join("pods.jsonl")
}

fn read(path: &Path) -> Vec<PodMeta> {
    let mut pods = NameBook::open(path).unwrap().1;
    pods.sort_by_key(|pod| pod.api_uid.to_string());
    pods
}

#[test]
fn what_was_noted_last_of_each_pod_is_there_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut book, before) = NameBook::open(&path(&folder)).unwrap();
    assert_eq!(before, []);
    let other = "b96ab411-2bca-47bf-90b4-002d39ce26bb";
    book.note(&[pod(UID, None), pod(other, None)], Vec::new).unwrap();
    book.note(&[pod(UID, Some(5))], Vec::new).unwrap();
    assert_eq!(read(&path(&folder)), [(*pod(UID, Some(5))).clone(), (*pod(other, None)).clone()]);
}

#[test]
fn wherever_a_crash_cuts_the_file_what_is_whole_is_read_and_more_can_follow() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let (mut book, _) = NameBook::open(&path).unwrap();
    book.note(&[pod(UID, None)], Vec::new).unwrap();
    let first = fs::metadata(&path).unwrap().len();
    book.note(&[pod(UID, Some(5))], Vec::new).unwrap();
    let whole = fs::read(&path).unwrap();
    for cut in first..whole.len() as u64 {
        fs::write(&path, &whole[..usize::try_from(cut).unwrap()]).unwrap();
        let (mut book, pods) = NameBook::open(&path).unwrap();
        // All but the line's end is all there is to a line.
        let expected = if cut + 1 == whole.len() as u64 { Some(UnixMillis(5)) } else { None };
        assert_eq!(pods[0].ended_at, expected, "cut at {cut}");
        book.note(&[pod(UID, Some(7))], Vec::new).unwrap();
        assert_eq!(read(&path)[0].ended_at, Some(UnixMillis(7)), "cut at {cut}");
    }
}

#[test]
fn a_long_file_is_written_anew_with_what_still_matters() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let (mut book, _) = NameBook::open(&path).unwrap();
    let many: Vec<_> = (0..1000).map(|_| pod(UID, None)).collect();
    let mut notes = 0;
    while book.bytes <= REWRITE_FROM_BYTES {
        book.note(&many, Vec::new).unwrap();
        notes += 1;
    }
    assert!(notes > 2);
    book.note(&many, || vec![pod(UID, Some(9))]).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 2000);
    assert_eq!(read(&path)[0].ended_at, Some(UnixMillis(9)));
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = NameBook::open(&file.join("pods.jsonl")).unwrap_err().to_string();
    assert!(error.contains("pods.jsonl"), "{error}");
}

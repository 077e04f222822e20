use super::*;
use crate::{
    Changed, ContainerMeta, ContainerRole, Labels, Object, OwnerRef, Phase, Resources, WorkloadKind,
};

const T0: UnixMillis = UnixMillis(0);
const T1: UnixMillis = UnixMillis(1000);
const T2: UnixMillis = UnixMillis(2000);

fn pod(uid: &str, name: &str) -> PodMeta {
    PodMeta {
        uid: EntityId::parse(uid),
        api_uid: EntityId::parse(uid),
        namespace: "shop".into(),
        name: name.into(),
        node: Some("n1".into()),
        phase: Some(Phase::Running),
        ready: Some(true),
        reason: None,
        qos: None,
        owner: None,
        workload: None,
        labels: Some(Labels::default()),
        host_network: Some(false),
        created_at: Some(T0),
        ended_at: None,
        containers: Box::default(),
        requests: Resources { cpu_millicores: Some(100), memory_bytes: None },
        limits: Resources::default(),
        restarts: Some(0),
    }
}

fn container(name: &str, id: &str) -> ContainerMeta {
    ContainerMeta {
        name: name.into(),
        role: ContainerRole::App,
        id: Some(EntityId::parse(id)),
        previous_ids: Box::default(),
        image: None,
        requests: Resources::default(),
        limits: Resources::default(),
        restarts: None,
        running: true,
    }
}

fn owner(kind: WorkloadKind, name: &str) -> Arc<OwnerRef> {
    let uid = EntityId::parse(&format!("uid of {name}"));
    Arc::new(OwnerRef { kind, name: name.into(), uid })
}

fn object(name: &str, owner: Option<Arc<OwnerRef>>) -> Object {
    let uid = EntityId::parse(&format!("uid of {name}"));
    Object { uid, namespace: "shop".into(), name: name.into(), created_at: Some(T0), owner }
}

fn replica_set(name: &str, owner: Option<Arc<OwnerRef>>) -> Observation {
    Observation::Owner(WorkloadKind::ReplicaSet, object(name, owner))
}

fn gone(uid: &str) -> Observation {
    Observation::PodGone(EntityId::parse(uid))
}

/// An inventory of a cluster that has said all this at one moment.
fn told(observations: impl IntoIterator<Item = Observation>) -> Inventory {
    let inventory = Inventory::of_cluster();
    for observation in observations {
        inventory.observe(observation, T0);
    }
    inventory
}

fn uids(mut pods: Vec<Arc<PodMeta>>) -> Vec<String> {
    pods.sort_by_key(|pod| pod.created_at);
    pods.iter().map(|pod| pod.uid.to_string()).collect()
}

fn workload_of(inventory: &Inventory, uid: &str) -> Option<String> {
    let pod = inventory.pod_by_uid(&EntityId::parse(uid))?;
    pod.workload.as_ref().map(ToString::to_string)
}

#[test]
fn a_static_pod_answers_to_its_hash_and_to_its_mirror() {
    let hash = "bba8a4a63ab4a7b4dc3a1f9a4bbd2d3c";
    let mut mirror = pod("mirror 1", "etcd-n1");
    mirror.uid = EntityId::parse(hash);
    mirror.owner = Some(owner(WorkloadKind::Other("Node".into()), "n1"));
    let inventory = told([Observation::Pod(mirror.clone())]);
    for uid in [hash, "mirror 1"] {
        assert_eq!(workload_of(&inventory, uid).as_deref(), Some("shop/Pod/etcd-n1"));
    }

    // kubelet makes the mirror anew when somebody deletes it; the pod itself goes on.
    mirror.api_uid = EntityId::parse("mirror 2");
    inventory.observe(gone("mirror 1"), T1);
    inventory.observe(Observation::Pod(mirror), T1);
    let by_hash = inventory.pod_by_uid(&EntityId::parse(hash)).unwrap();
    assert_eq!((by_hash.api_uid.to_string(), by_hash.ended_at), ("mirror 2".to_owned(), None));
}

#[test]
fn a_name_is_one_pod_at_a_time() {
    let inventory = told([Observation::Pod(pod("first", "db-0"))]);
    let mut second = pod("second", "db-0");
    second.node = Some("n2".into());
    second.created_at = Some(T1);
    inventory.observe(Observation::Pod(second), T1);

    let now = inventory.pod("shop", "db-0").unwrap();
    assert_eq!((now.uid.to_string(), now.node.as_deref()), ("second".to_owned(), Some("n2")));
    let past = inventory.pod_by_uid(&EntityId::parse("first")).unwrap();
    assert_eq!(past.ended_at, Some(T1));
    assert_eq!(uids(inventory.pods_named("db-0")), ["first", "second"]);
    assert_eq!(inventory.namespace("shop").unwrap().pods.running, 1);
    assert_eq!((inventory.sums_on("n1").present, inventory.sums_on("n2").present), (0, 1));

    // The news of the first one's end comes late, and changes nothing about the second.
    inventory.observe(gone("first"), T2);
    assert_eq!(inventory.pod("shop", "db-0").unwrap().ended_at, None);
    assert_eq!(inventory.pod_by_uid(&EntityId::parse("first")).unwrap().ended_at, Some(T1));
}

#[test]
fn namesakes_in_two_namespaces_stay_two() {
    let mut other = pod("other", "bare");
    other.namespace = "default".into();
    let inventory = told([Observation::Pod(pod("one", "bare")), Observation::Pod(other)]);
    assert_eq!(inventory.pod("shop", "bare").unwrap().uid.to_string(), "one");
    assert_eq!(inventory.pod("default", "bare").unwrap().uid.to_string(), "other");
    assert_eq!(inventory.pods_named("bare").len(), 2);
    assert_eq!(inventory.pod("kube-system", "bare"), None);
}

#[test]
fn an_owner_that_comes_after_its_pod_joins_it_later() {
    let mut web = pod("web", "web-abc-1");
    web.owner = Some(owner(WorkloadKind::ReplicaSet, "web-abc"));
    let inventory = told([Observation::Pod(web)]);
    let mut changes = inventory.subscribe();
    assert_eq!(uids(changes.drain().moved), ["web"]);
    assert_eq!(workload_of(&inventory, "web"), None);

    inventory.observe(replica_set("web-abc", Some(owner(WorkloadKind::Deployment, "web"))), T1);
    assert_eq!(workload_of(&inventory, "web").as_deref(), Some("shop/Deployment/web"));
    assert_eq!(uids(changes.drain().moved), ["web"]);
    assert_eq!(changes.drain(), Changed::default());
    let key = WorkloadKey::new("shop", WorkloadKind::Deployment, "web");
    assert_eq!(uids(inventory.pods_of(&key)), ["web"]);
}

#[test]
fn the_owner_chain_ends_at_what_people_look_for() {
    let cases = [
        (WorkloadKind::ReplicaSet, None, "ReplicaSet/x"),
        (WorkloadKind::ReplicaSet, Some(owner(WorkloadKind::Deployment, "web")), "Deployment/web"),
        (
            WorkloadKind::ReplicaSet,
            Some(owner(WorkloadKind::Other("Rollout".into()), "web")),
            "Rollout/web",
        ),
        (WorkloadKind::Job, None, "Job/x"),
        (WorkloadKind::Job, Some(owner(WorkloadKind::CronJob, "nightly")), "CronJob/nightly"),
        (
            WorkloadKind::StatefulSet,
            Some(owner(WorkloadKind::Other("Kafka".into()), "k")),
            "StatefulSet/x",
        ),
    ];
    for (kind, above, expected) in cases {
        let mut made = pod("made", "x-1");
        made.owner = Some(owner(kind.clone(), "x"));
        let inventory =
            told([Observation::Owner(kind, object("x", above)), Observation::Pod(made)]);
        assert_eq!(workload_of(&inventory, "made"), Some(format!("shop/{expected}")));
    }
}

#[test]
fn an_adopted_replica_set_takes_its_pods_along() {
    let mut web = pod("web", "web-abc-1");
    web.owner = Some(owner(WorkloadKind::ReplicaSet, "web-abc"));
    let inventory = told([replica_set("web-abc", None), Observation::Pod(web)]);
    assert_eq!(workload_of(&inventory, "web").as_deref(), Some("shop/ReplicaSet/web-abc"));

    inventory.observe(replica_set("web-abc", Some(owner(WorkloadKind::Deployment, "web"))), T1);
    assert_eq!(workload_of(&inventory, "web").as_deref(), Some("shop/Deployment/web"));
    let workloads = inventory.workloads("shop");
    assert_eq!(workloads.len(), 1);
    assert_eq!((workloads[0].key.name.as_ref(), workloads[0].pods.running), ("web", 1));
}

#[test]
fn where_an_owner_kind_is_refused_pods_stand_under_what_made_them() {
    let mut web = pod("web", "web-abc-1");
    web.owner = Some(owner(WorkloadKind::ReplicaSet, "web-abc"));
    let inventory = told([Observation::Pod(web), Observation::Refused(Kind::ReplicaSets)]);
    assert_eq!(workload_of(&inventory, "web").as_deref(), Some("shop/ReplicaSet/web-abc"));
}

#[test]
fn a_pod_outlives_what_made_it_under_the_same_name() {
    let mut web = pod("web", "web-abc-1");
    web.owner = Some(owner(WorkloadKind::ReplicaSet, "web-abc"));
    let inventory = told([
        replica_set("web-abc", Some(owner(WorkloadKind::Deployment, "web"))),
        Observation::Pod(web.clone()),
        Observation::OwnerGone(EntityId::parse("uid of web-abc")),
    ]);
    web.phase = Some(Phase::Failed);
    inventory.observe(Observation::Pod(web), T1);
    assert_eq!(workload_of(&inventory, "web").as_deref(), Some("shop/Deployment/web"));
}

#[test]
fn a_workload_without_pods_is_listed_until_it_is_forgotten() {
    let inventory = told([Observation::Owner(WorkloadKind::Deployment, object("idle", None))]);
    assert_eq!(inventory.workloads("shop")[0].pods, PodSums::default());

    inventory.observe(Observation::OwnerGone(EntityId::parse("uid of idle")), T1);
    assert_eq!(inventory.workloads("shop")[0].ended_at, Some(T1));
    inventory.forget_ended_before(T2);
    assert_eq!((inventory.workloads("shop"), inventory.namespace("shop")), (vec![], None));
}

#[test]
fn a_deployment_made_again_under_its_name_goes_on() {
    let mut again = object("web", None);
    again.uid = EntityId::parse("another");
    let inventory = told([
        Observation::Owner(WorkloadKind::Deployment, object("web", None)),
        Observation::Owner(WorkloadKind::Deployment, again),
        Observation::OwnerGone(EntityId::parse("uid of web")),
    ]);
    assert_eq!(inventory.workloads("shop")[0].ended_at, None);
}

#[test]
fn what_a_complete_list_does_not_name_is_gone() {
    let list = |uids: &[&str]| {
        let pods = uids.iter().map(|uid| Observation::Pod(pod(uid, uid))).collect::<Vec<_>>();
        let begins = [Observation::ListingBegins(Kind::Pods)];
        begins.into_iter().chain(pods).chain([Observation::ListingEnds(Kind::Pods)])
    };
    let inventory = told(list(&["a", "b"]));
    for observation in list(&["b", "c"]) {
        inventory.observe(observation, T1);
    }
    let ended = |uid| inventory.pod_by_uid(&EntityId::parse(uid)).unwrap().ended_at;
    assert_eq!((ended("a"), ended("b"), ended("c")), (Some(T1), None, None));
    assert_eq!(inventory.namespace("shop").unwrap().pods.present, 2);
    assert_eq!(inventory.pods().len(), 3);
}

#[test]
fn a_list_that_says_nothing_new_changes_nothing() {
    let list = || {
        [
            Observation::ListingBegins(Kind::Pods),
            Observation::Pod(pod("a", "a")),
            Observation::ListingEnds(Kind::Pods),
        ]
    };
    let inventory = told(list());
    let mut changes = inventory.subscribe();
    let before = changes.drain().moved;
    for observation in list() {
        inventory.observe(observation, T1);
    }
    assert!(Arc::ptr_eq(&inventory.pods()[0], &before[0]));
    assert_eq!(changes.drain(), Changed::default());
}

#[test]
fn a_list_that_breaks_off_ends_nothing() {
    let inventory = told([
        Observation::ListingBegins(Kind::Pods),
        Observation::Pod(pod("a", "a")),
        Observation::Pod(pod("b", "b")),
        Observation::ListingEnds(Kind::Pods),
        Observation::ListingBegins(Kind::Pods),
        Observation::Pod(pod("a", "a")),
        Observation::ListingBegins(Kind::Pods),
        Observation::Pod(pod("b", "b")),
        Observation::Pod(pod("a", "a")),
        Observation::ListingEnds(Kind::Pods),
    ]);
    assert!(inventory.pods().iter().all(|pod| pod.ended_at.is_none()));
}

#[test]
fn sums_follow_every_change_and_are_absent_when_nothing_is_said() {
    let mut silent = pod("silent", "silent");
    silent.requests = Resources::default();
    let inventory = told([Observation::Pod(silent), Observation::Pod(pod("a", "a"))]);
    let requests =
        |inventory: &Inventory| inventory.namespace("shop").unwrap().pods.requests.cpu_millicores;
    assert_eq!(requests(&inventory), Some(100));

    let mut done = pod("a", "a");
    done.phase = Some(Phase::Succeeded);
    inventory.observe(Observation::Pod(done), T1);
    let sums = inventory.namespace("shop").unwrap().pods;
    assert_eq!((sums.present, sums.running), (2, 1));
    assert_eq!(requests(&inventory), None);
}

#[test]
fn frames_of_a_restarted_container_still_find_its_name() {
    let mut crashing = pod("p", "p");
    crashing.containers = [container("app", "run 0")].into();
    let inventory = told([Observation::Pod(crashing.clone())]);
    for run in 1..=20 {
        crashing.containers = [container("app", &format!("run {run}"))].into();
        inventory.observe(Observation::Pod(crashing.clone()), T1);
    }
    let name_of = |id: &str| {
        let id = EntityId::parse(id);
        let pod = inventory.pod_by_container(&id)?;
        pod.container(&id).map(|container| container.name.to_string())
    };
    assert_eq!(name_of("run 20").as_deref(), Some("app"));
    assert_eq!(name_of("run 4").as_deref(), Some("app"));
    assert_eq!(name_of("run 3"), None, "only so many are kept");
}

#[test]
fn ended_pods_are_answerable_until_they_are_forgotten() {
    let inventory = told([Observation::Pod(pod("a", "a")), Observation::Pod(pod("b", "b"))]);
    inventory.observe(gone("a"), T1);
    inventory.forget_ended_before(T1);
    assert_eq!(inventory.pod("shop", "a").unwrap().ended_at, Some(T1));
    inventory.forget_ended_before(T2);
    assert_eq!(inventory.pod("shop", "a"), None);
    assert_eq!(uids(inventory.pods_on("n1")), ["b"]);
}

#[test]
fn nodes_and_namespaces_come_and_go() {
    let node = NodeMeta {
        name: "n1".into(),
        ready: Some(true),
        labels: Labels::default(),
        capacity: Resources { cpu_millicores: Some(2000), memory_bytes: Some(1 << 30) },
        allocatable: Resources::default(),
        created_at: Some(T0),
        ended_at: None,
    };
    let inventory = told([
        Observation::Node(node),
        Observation::Namespace(object("shop", None)),
        Observation::Pod(pod("a", "a")),
    ]);
    assert_eq!(inventory.nodes().len(), 1);
    inventory.observe(Observation::NodeGone("n1".into()), T1);
    inventory.observe(Observation::NamespaceGone("shop".into()), T1);
    assert_eq!(inventory.node("n1").unwrap().ended_at, Some(T1));
    assert_eq!(inventory.namespace("shop").unwrap().ended_at, Some(T1));

    inventory.forget_ended_before(T2);
    assert_eq!(inventory.node("n1"), None);
    assert_eq!(inventory.namespace("shop").unwrap().ended_at, None, "its pod still names it");
}

#[test]
fn a_pushed_pod_is_kept_while_samples_of_it_come() {
    let pushed = PushedPod {
        namespace: "shop".into(),
        name: "web".into(),
        node: Some("n1".into()),
        deployment: Some("front".into()),
    };
    let inventory = Inventory::without_cluster();
    assert_eq!(inventory.ready(), Ok(()));
    let pod = inventory.record_pushed(&pushed, T0);
    assert_eq!(pod.uid, EntityId::Text("shop/web".into()));
    assert_eq!(inventory.record_pushed(&pushed, T1), pod);
    assert_eq!(inventory.workloads("shop")[0].key.to_string(), "shop/Deployment/front");

    inventory.forget_ended_before(T1);
    assert_eq!(inventory.pods_on("n1").len(), 1);
    inventory.forget_ended_before(T2);
    assert_eq!((inventory.pods(), inventory.namespaces()), (vec![], vec![]));
}

#[test]
fn a_pushed_sample_belongs_to_the_pod_kubernetes_knows_by_that_name() {
    let pushed =
        PushedPod { namespace: "shop".into(), name: "a".into(), node: None, deployment: None };
    let inventory = Inventory::of_cluster();
    inventory.record_pushed(&pushed, T0);
    inventory.observe(Observation::Pod(pod("real", "a")), T1);
    assert_eq!(inventory.record_pushed(&pushed, T1).uid.to_string(), "real");
    assert_eq!(inventory.pod("shop", "a").unwrap().uid.to_string(), "real");
}

#[test]
fn a_cluster_is_ready_when_every_kind_was_listed() {
    let inventory = Inventory::of_cluster();
    let mut missing = Kind::ALL.len();
    for kind in Kind::ALL {
        assert_eq!(inventory.ready().unwrap_err().len(), missing);
        inventory.observe(Observation::ListingBegins(kind), T0);
        inventory.observe(Observation::ListingEnds(kind), T0);
        missing -= 1;
    }
    assert_eq!(inventory.ready(), Ok(()));
}

#[tokio::test]
async fn subscribers_are_told_each_pods_newest_state_once() {
    let inventory = told([Observation::Pod(pod("a", "a"))]);
    let mut changes = inventory.subscribe();
    assert_eq!(uids(changes.next().await.moved), ["a"]);

    let mut waiting = tokio::spawn(async move { (changes.next().await, changes) });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    let mut unready = pod("a", "a");
    (unready.ready, unready.reason) = (Some(false), Some("CrashLoopBackOff".into()));
    inventory.observe(Observation::Pod(unready), T1);
    let unrecorded = std::time::Duration::from_millis(20);
    assert!(tokio::time::timeout(unrecorded, &mut waiting).await.is_err());

    let mut relabelled = pod("a", "a");
    relabelled.labels = Some([("tier", "web")].into_iter().collect());
    inventory.observe(Observation::Pod(relabelled), T1);
    let (told, mut changes) = waiting.await.unwrap();
    assert_eq!((told.moved.len(), uids(told.updated)), (0, vec!["a".to_owned()]));

    let mut failed = pod("a", "a");
    failed.phase = Some(Phase::Failed);
    inventory.observe(Observation::Pod(failed), T1);
    inventory.observe(gone("a"), T2);
    let told = changes.next().await;
    assert_eq!((told.moved[0].ended_at, told.updated.len()), (Some(T2), 0));
}

#[test]
fn whatever_a_restart_is_to_find_of_a_pod_is_news() {
    type Change = fn(&mut PodMeta);
    let changes: [(&str, Change); 5] = [
        ("phase", |pod| pod.phase = Some(Phase::Failed)),
        ("labels", |pod| pod.labels = None),
        ("restarts", |pod| pod.restarts = Some(1)),
        ("container ids", |pod| pod.containers = [container("app", "2")].into()),
        ("containers", |pod| pod.containers = Box::default()),
    ];
    for (what, change) in changes {
        let mut before = pod("a", "a");
        before.containers = [container("app", "1")].into();
        let inventory = told([Observation::Pod(before.clone())]);
        let mut news = inventory.subscribe();
        news.drain();
        change(&mut before);
        inventory.observe(Observation::Pod(before), T1);
        assert_eq!(uids(news.drain().updated), ["a"], "{what}");
    }
}

#[test]
fn what_is_known_of_pods_is_current_while_the_api_answers() {
    let inventory = told([Observation::ListingBegins(Kind::Pods)]);
    assert!(!inventory.is_current());
    inventory.observe(Observation::ListingEnds(Kind::Pods), T0);
    assert!(inventory.is_current());
    inventory.observe(Observation::Interrupted(Kind::Nodes), T1);
    assert!(inventory.is_current());
    inventory.observe(Observation::Interrupted(Kind::Pods), T1);
    assert!(!inventory.is_current());
    inventory.observe(Observation::Resumed(Kind::Pods), T1);
    assert!(inventory.is_current());
    assert!(!Inventory::without_cluster().is_current());
}

#[test]
fn groups_know_the_nodes_of_their_present_pods() {
    let on = |uid: &str, node: Option<&str>, phase| {
        let node = node.map(Into::into);
        Observation::Pod(PodMeta { node, phase: Some(phase), ..pod(uid, uid) })
    };
    let inventory = told([
        on("a", Some("n1"), Phase::Running),
        on("b", Some("n1"), Phase::Pending),
        on("c", Some("n2"), Phase::Succeeded),
        on("d", Some("n3"), Phase::Running),
        on("e", None, Phase::Pending),
        gone("d"),
    ]);
    assert_eq!(inventory.nodes_in("shop"), HashSet::from(["n1".into()]));
    assert_eq!(uids(inventory.pods_unbound()), ["e"]);
}

#[test]
fn field_selectors_choose_pods() {
    let chosen = |selector: &str, pod: &PodMeta| {
        selector.parse::<crate::FieldSelector>().unwrap().matches(pod)
    };
    let running = pod("a", "a");
    for selector in [
        "",
        "metadata.name=a",
        "metadata.namespace==shop,spec.nodeName=n1",
        "status.phase!=Failed, metadata.name = a",
    ] {
        assert!(chosen(selector, &running), "{selector}");
    }
    for selector in ["metadata.name=b", "metadata.name=a,spec.nodeName!=n1", "status.phase="] {
        assert!(!chosen(selector, &running), "{selector}");
    }
    let unbound = PodMeta { node: None, ..running };
    assert!(chosen("spec.nodeName=", &unbound));
}

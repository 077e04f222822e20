//! Objects, their versions, and who watches them.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::{Request, fault::Faults, tokens::Tokens};

/// All there is.
#[derive(Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) faults: Faults,
    pub(crate) requests: Vec<Request>,
    pub(crate) verdicts: Verdicts,
    pub(crate) tokens: Tokens,
    /// The version of the latest change.
    version: u64,
    /// What was before this version is forgotten.
    remembered_from: u64,
    collections: HashMap<String, Collection>,
    /// Lists that were begun, by continue token.
    begun: HashMap<String, (Listing, usize)>,
}

type Decide = dyn Fn(&str, &Value) -> Value + Send + Sync;

/// What reviews are answered with.
#[derive(Clone, Default)]
pub(crate) struct Verdicts(pub(crate) Option<Arc<Decide>>);

impl Verdicts {
    /// The status of a review; the empty one, which refuses, until somebody decides.
    pub(crate) fn on(&self, resource: &str, spec: &Value) -> Value {
        self.0.as_ref().map_or_else(|| json!({"allowed": false}), |decide| decide(resource, spec))
    }
}

#[derive(Debug, Default)]
struct Collection {
    objects: BTreeMap<(String, String), Arc<Value>>,
    made_up: Option<(usize, Make)>,
    history: Vec<Event>,
    watches: Vec<Watch>,
}

type MakeObject = dyn Fn(usize) -> String + Send + Sync;

#[derive(Clone)]
struct Make(Arc<MakeObject>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Put,
    Delete,
}

#[derive(Clone, Debug)]
struct Event {
    version: u64,
    kind: &'static str,
    object: Arc<Value>,
}

#[derive(Debug)]
struct Watch {
    metadata_only: bool,
    lines: UnboundedSender<Line>,
}

/// A piece of a watch's body; an error breaks the connection.
pub(crate) type Line = Result<Bytes, Broken>;

/// The connection is to break.
#[derive(Debug)]
pub(crate) struct Broken;

/// The state that all pages of one list show.
#[derive(Clone, Debug)]
enum Listing {
    Objects(Arc<Vec<Arc<Value>>>),
    MadeUp(usize, Make),
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) version: u64,
    pub(crate) continue_token: Option<String>,
    pub(crate) items: Vec<String>,
}

/// What a request asked for is forgotten.
#[derive(Debug)]
pub(crate) struct Expired;

/// Namespace and name.
fn key(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

impl Cluster {
    pub(crate) fn change(&mut self, resource: &str, change: Change, mut object: Value) {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        let object = Arc::new(object);
        let collection = self.collections.entry(resource.to_owned()).or_default();
        let key = key(&object);
        let kind = match change {
            Change::Put => match collection.objects.insert(key, Arc::clone(&object)) {
                Some(_) => "MODIFIED",
                None => "ADDED",
            },
            Change::Delete => {
                collection.objects.remove(&key);
                "DELETED"
            }
        };
        let event = Event { version: self.version, kind, object };
        collection.tell(|metadata_only| event.line(metadata_only));
        collection.history.push(event);
    }

    pub(crate) fn delete(&mut self, resource: &str, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        let collection = self.collections.get(resource);
        if let Some(object) = collection.and_then(|collection| collection.objects.get(&key)) {
            let object = Value::clone(object);
            self.change(resource, Change::Delete, object);
        }
    }

    pub(crate) fn make_up(&mut self, resource: &str, count: usize, make: Arc<MakeObject>) {
        self.version += 1;
        let collection = self.collections.entry(resource.to_owned()).or_default();
        collection.made_up = Some((count, Make(make)));
    }

    pub(crate) fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.collections.get(resource)?.objects.get(&key).cloned()
    }

    pub(crate) fn bookmark(&mut self) {
        let version = self.version.to_string();
        for (resource, collection) in &mut self.collections {
            let object = json!({"kind": resource, "apiVersion": "v1",
                                "metadata": {"resourceVersion": version}});
            collection.tell(|_| line("BOOKMARK", &object));
        }
    }

    pub(crate) fn forget_history(&mut self) {
        self.version += 1;
        self.remembered_from = self.version;
        self.begun.clear();
        for collection in self.collections.values_mut() {
            collection.history.clear();
            collection.tell(|_| line("ERROR", &gone()));
            collection.watches.clear();
        }
    }

    pub(crate) fn break_watches(&mut self) {
        for watch in self.collections.values_mut().flat_map(|kept| kept.watches.drain(..)) {
            let _ = watch.lines.send(Err(Broken));
        }
    }

    pub(crate) fn garble_watches(&mut self, resource: &str) {
        if let Some(collection) = self.collections.get_mut(resource) {
            collection.tell(|_| Bytes::from_static(b"<html>502 Bad Gateway</html>\n"));
        }
    }

    pub(crate) fn watches(&self, resource: &str) -> usize {
        let watches = self.collections.get(resource).map(|collection| &collection.watches);
        watches.into_iter().flatten().filter(|watch| !watch.lines.is_closed()).count()
    }

    pub(crate) fn list(
        &mut self,
        resource: &str,
        limit: Option<usize>,
        continue_token: Option<&str>,
        metadata_only: bool,
    ) -> Result<Page, Expired> {
        let (listing, from) = match continue_token {
            Some(token) => self.begun.get(token).cloned().ok_or(Expired)?,
            None => (self.collections.entry(resource.to_owned()).or_default().listing(), 0),
        };
        let to = limit.map_or(listing.len(), |limit| listing.len().min(from + limit));
        let items = (from..to).map(|place| listing.item(place, metadata_only)).collect();
        let continue_token =
            (to < listing.len()).then(|| format!("{resource}-{}-{to}", self.version));
        if let Some(token) = &continue_token {
            self.begun.insert(token.clone(), (listing, to));
        }
        Ok(Page { version: self.version, continue_token, items })
    }

    /// A watch that begins after a version.
    pub(crate) fn watch(
        &mut self,
        resource: &str,
        after: u64,
        metadata_only: bool,
    ) -> UnboundedReceiver<Line> {
        let (lines, receiver) = unbounded_channel();
        if after < self.remembered_from {
            let _ = lines.send(Ok(line("ERROR", &gone())));
            return receiver;
        }
        let collection = self.collections.entry(resource.to_owned()).or_default();
        for event in collection.history.iter().filter(|event| event.version > after) {
            let _ = lines.send(Ok(event.line(metadata_only)));
        }
        collection.watches.push(Watch { metadata_only, lines });
        receiver
    }
}

impl Collection {
    /// Sends a line on every watch that is still there.
    fn tell(&mut self, line: impl Fn(bool) -> Bytes) {
        self.watches.retain(|watch| watch.lines.send(Ok(line(watch.metadata_only))).is_ok());
    }

    fn listing(&self) -> Listing {
        match &self.made_up {
            Some((count, make)) => Listing::MadeUp(*count, make.clone()),
            None => Listing::Objects(Arc::new(self.objects.values().cloned().collect())),
        }
    }
}

impl Listing {
    fn len(&self) -> usize {
        match self {
            Self::Objects(objects) => objects.len(),
            Self::MadeUp(count, _) => *count,
        }
    }

    fn item(&self, place: usize, metadata_only: bool) -> String {
        match self {
            Self::Objects(objects) => shown(&objects[place], metadata_only).to_string(),
            Self::MadeUp(_, Make(make)) => make(place),
        }
    }
}

impl Event {
    fn line(&self, metadata_only: bool) -> Bytes {
        line(self.kind, &shown(&self.object, metadata_only))
    }
}

fn line(kind: &str, object: &Value) -> Bytes {
    // Written by hand for the order: clients read `type` first.
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n").into()
}

/// The object as a client asked for it.
fn shown(object: &Value, metadata_only: bool) -> Value {
    if metadata_only {
        json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
               "metadata": object["metadata"]})
    } else {
        object.clone()
    }
}

/// The error of those who ask for what is forgotten.
pub(crate) fn gone() -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
           "message": "too old resource version", "reason": "Expired", "code": 410})
}

impl fmt::Debug for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Make")
    }
}

impl fmt::Debug for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verdicts")
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

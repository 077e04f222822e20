//! How an answer is wanted: which objects, and in what form.

use axum::{
    extract::Query,
    http::{HeaderMap, Uri, header},
};
use kubemonitor_inventory::{FieldSelector, LabelSelector, SelectorError};
use serde::Deserialize;

use super::{
    status::Refusal,
    table::{IncludeObject, TableVersion},
};

/// Which objects are wanted, and in what form.
#[derive(Debug)]
pub(super) struct Question {
    /// Those with these labels.
    pub(super) labels: LabelSelector,
    /// Those with these fields.
    pub(super) fields: FieldSelector,
    /// As what.
    pub(super) form: Form,
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The objects themselves.
    Objects,
    /// A table.
    Table(TableVersion, IncludeObject),
}

/// Others that Kubernetes knows (`limit`, `continue`, `resourceVersion`, …) change nothing: lists are
/// whole, and as of now.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Parameters {
    label_selector: String,
    field_selector: String,
    include_object: String,
    watch: String,
}

impl Question {
    /// What a request wants.
    pub(super) fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, Refusal> {
        let Query(parameters) = Query::<Parameters>::try_from_uri(uri)
            .map_err(|error| Refusal::BadRequest(error.to_string()))?;
        if ["true", "1"].contains(&parameters.watch.as_str()) {
            return Err(Refusal::MethodNotAllowed);
        }
        let unclear = |error: SelectorError| Refusal::BadRequest(error.to_string());
        let include = IncludeObject::named(&parameters.include_object).ok_or_else(|| {
            let given = &parameters.include_object;
            Refusal::BadRequest(format!(
                "`includeObject={given}` cannot be used: give None, Metadata or Object"
            ))
        })?;
        Ok(Self {
            labels: parameters.label_selector.parse().map_err(unclear)?,
            fields: parameters.field_selector.parse().map_err(unclear)?,
            form: form(headers, include).ok_or(Refusal::NotAcceptable)?,
        })
    }
}

/// The first form of those accepted that there is; the objects themselves where nothing is said.
fn form(headers: &HeaderMap, include: IncludeObject) -> Option<Form> {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<&str> = accepted
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|a| !a.is_empty())
        .collect();
    if accepted.is_empty() {
        return Some(Form::Objects);
    }
    accepted.into_iter().find_map(|clause| {
        let mut parts = clause.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        if !["application/json", "application/*", "*/*"].contains(&essence) {
            return None;
        }
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let parameter =
            |name| parameters.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        match (parameter("as"), parameter("g"), parameter("v")) {
            (None, None, None) => Some(Form::Objects),
            (Some("Table"), Some("meta.k8s.io"), Some("v1")) => {
                Some(Form::Table("meta.k8s.io/v1", include))
            }
            (Some("Table"), Some("meta.k8s.io"), Some("v1beta1")) => {
                Some(Form::Table("meta.k8s.io/v1beta1", include))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str, accept: &str) -> Result<Form, String> {
        let uri = format!("/apis{query}").parse().unwrap();
        let headers = [(header::ACCEPT, accept.parse().unwrap())].into_iter().collect();
        Question::of(&uri, &headers).map(|q| q.form).map_err(|refusal| refusal.to_string())
    }

    #[test]
    fn clients_get_the_first_form_there_is() {
        let kubectl_get = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        let v1 = Form::Table("meta.k8s.io/v1", IncludeObject::Metadata);
        let v1beta1 = Form::Table("meta.k8s.io/v1beta1", IncludeObject::Metadata);
        for (accept, form) in [
            ("", Form::Objects),
            ("*/*", Form::Objects),
            ("application/json; charset=utf-8; q=0.9", Form::Objects),
            ("application/vnd.kubernetes.protobuf,application/json", Form::Objects),
            ("application/json;as=Table;v=v2;g=meta.k8s.io, application/json", Form::Objects),
            (kubectl_get, v1),
            ("application/json;g=meta.k8s.io;v=v1beta1;as=Table", v1beta1),
        ] {
            assert_eq!(asked("", accept), Ok(form), "{accept}");
        }
        for accept in ["application/vnd.kubernetes.protobuf", "text/html", "application/yaml"] {
            assert!(asked("", accept).unwrap_err().contains("application/json"), "{accept}");
        }
    }

    #[test]
    fn unknown_parameters_change_nothing() {
        let query = "?limit=1&continue=x&resourceVersion=0&timeout=5s&pretty=true";
        assert_eq!(asked(query, "*/*"), Ok(Form::Objects));
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for (query, part) in [
            ("?labelSelector=app%20in%20(", "label selector"),
            ("?fieldSelector=spec.hostNetwork%3Dtrue", "field selector"),
            ("?includeObject=All", "Metadata"),
            ("?watch=true", "get and list"),
        ] {
            let refusal = asked(query, "*/*").unwrap_err();
            assert!(refusal.contains(part), "{refusal}");
        }
        assert_eq!(asked("?watch=false", "*/*"), Ok(Form::Objects));
    }
}

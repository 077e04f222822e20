//! Choosing objects by their labels and fields, as `kubectl -l` and `--field-selector` write it.

use std::str::FromStr;

use crate::{Labels, NodeMeta, PodMeta};

/// A label selector: requirements joined by commas, all of which have to be met. The empty one is
/// met by everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

/// A field selector: requirements on fields of a pod or a node, all of which have to be met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<FieldRequirement>);

/// Why a text is no selector.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SelectorError {
    /// Not the grammar of label selectors.
    #[error(
        "`{0}` is no label selector: join requirements like `app=web`, `tier!=cache`, \
         `env in (dev,test)`, `env notin (prod)`, `canary` or `!canary` by commas"
    )]
    Labels(String),
    /// More than anybody types: each is looked at for each pod.
    #[error(
        "a selector has {found} keys and values; at most {MOST_TERMS} can be asked for at a time"
    )]
    TooLong {
        /// Its keys and values.
        found: usize,
    },
    /// Not the grammar of field selectors, or a field that cannot be selected by.
    #[error(
        "`{0}` is no field selector: join requirements like `spec.nodeName=n1` or \
         `status.phase!=Running` by commas; the fields are metadata.name, metadata.namespace, \
         spec.nodeName and status.phase"
    )]
    Fields(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Exists,
    Absent,
    In(Vec<String>),
    /// Met by objects without the label too, as in Kubernetes.
    NotIn(Vec<String>),
    GreaterThan(i64),
    LessThan(i64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldRequirement {
    field: Field,
    value: String,
    equal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    NodeName,
    Phase,
}

impl LabelSelector {
    /// Whether these labels meet every requirement. Labels that are not known meet none, neither
    /// `app=web` nor `app!=web`.
    pub fn matches(&self, labels: Option<&Labels>) -> bool {
        self.0.iter().all(|Requirement { key, rule }| {
            labels.is_some_and(|labels| rule.is_met_by(labels.get(key)))
        })
    }
}

impl Rule {
    fn is_met_by(&self, value: Option<&str>) -> bool {
        let one_of = |values: &[String]| values.iter().any(|v| Some(v.as_str()) == value);
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match self {
            Self::Exists => value.is_some(),
            Self::Absent => value.is_none(),
            Self::In(values) => one_of(values),
            Self::NotIn(values) => !one_of(values),
            Self::GreaterThan(bound) => number().is_some_and(|number| number > *bound),
            Self::LessThan(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

impl FromStr for LabelSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        check_terms(text)?;
        let requirements: Option<_> = split_outside_parentheses(text).map(requirement).collect();
        requirements.map(Self).ok_or_else(|| SelectorError::Labels(text.to_owned()))
    }
}

/// Keys and values that a selector may have together.
const MOST_TERMS: usize = 128;

/// Counts keys, and values in parentheses: there is a comma between any two.
fn check_terms(text: &str) -> Result<(), SelectorError> {
    let found = text.bytes().filter(|&byte| byte == b',' || byte == b'(').count() + 1;
    if found > MOST_TERMS { Err(SelectorError::TooLong { found }) } else { Ok(()) }
}

/// The parts between commas, those within `(…)` aside.
fn split_outside_parentheses(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    text.split(move |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    })
}

fn requirement(text: &str) -> Option<Requirement> {
    let text = text.trim();
    if let Some(key) = text.strip_prefix('!') {
        return Some(Requirement { key: name(key)?, rule: Rule::Absent });
    }
    let end = text.find(|c: char| c.is_whitespace() || "=!<>(".contains(c)).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    Some(Requirement { key: name(key)?, rule: rule(rest.trim_start())? })
}

fn rule(text: &str) -> Option<Rule> {
    if text.is_empty() {
        return Some(Rule::Exists);
    }
    if let Some(value) = text.strip_prefix("==").or_else(|| text.strip_prefix('=')) {
        return Some(Rule::In(vec![label_value(value)?]));
    }
    if let Some(value) = text.strip_prefix("!=") {
        return Some(Rule::NotIn(vec![label_value(value)?]));
    }
    if let Some(bound) = text.strip_prefix('>') {
        return Some(Rule::GreaterThan(bound.trim().parse().ok()?));
    }
    if let Some(bound) = text.strip_prefix('<') {
        return Some(Rule::LessThan(bound.trim().parse().ok()?));
    }
    if let Some(values) = text.strip_prefix("notin") {
        return Some(Rule::NotIn(label_values(values)?));
    }
    Some(Rule::In(label_values(text.strip_prefix("in")?)?))
}

fn label_values(text: &str) -> Option<Vec<String>> {
    let values = text.trim().strip_prefix('(')?.strip_suffix(')')?;
    values.split(',').map(label_value).collect()
}

/// The key of a label: a name, perhaps behind a DNS prefix and a slash.
fn name(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.bytes().all(|byte| is_label_byte(byte) || byte == b'/'))
        .then(|| text.to_owned())
}

/// The value of a label, which may be empty.
fn label_value(text: &str) -> Option<String> {
    let text = text.trim();
    text.bytes().all(is_label_byte).then(|| text.to_owned())
}

fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

impl FieldSelector {
    /// Whether this pod meets every requirement.
    pub fn matches(&self, pod: &PodMeta) -> bool {
        self.is_met_by(|field| match field {
            Field::Name => &pod.name,
            Field::Namespace => &pod.namespace,
            Field::NodeName => pod.node.as_deref().unwrap_or_default(),
            Field::Phase => pod.phase.map_or("", crate::Phase::as_str),
        })
    }

    /// Whether this node meets every requirement. Of the fields, it has a name only.
    pub fn match_node(&self, node: &NodeMeta) -> bool {
        self.is_met_by(|field| if field == Field::Name { &node.name } else { "" })
    }

    fn is_met_by<'a>(&self, value: impl Fn(Field) -> &'a str) -> bool {
        let met = |one: &FieldRequirement| (value(one.field) == one.value) == one.equal;
        self.0.iter().all(met)
    }
}

impl FromStr for FieldSelector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        check_terms(text)?;
        let requirements: Option<_> = text.split(',').map(field_requirement).collect();
        requirements.map(Self).ok_or_else(|| SelectorError::Fields(text.to_owned()))
    }
}

fn field_requirement(text: &str) -> Option<FieldRequirement> {
    let (left, value) = text.split_once('=')?;
    let (left, equal) = match left.strip_suffix('!') {
        Some(left) => (left, false),
        None => (left, true),
    };
    let value = if equal { value.strip_prefix('=').unwrap_or(value) } else { value };
    let field = match left.trim() {
        "metadata.name" => Field::Name,
        "metadata.namespace" => Field::Namespace,
        "spec.nodeName" => Field::NodeName,
        "status.phase" => Field::Phase,
        _ => return None,
    };
    Some(FieldRequirement { field, value: value.trim().to_owned(), equal })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels() -> Labels {
        [("app", "web"), ("env", "prod"), ("example.com/rank", "7"), ("empty", "")]
            .into_iter()
            .collect()
    }

    #[test]
    fn label_selectors_choose_as_kubectl_does() {
        for (selector, chosen) in [
            ("", true),
            ("app=web", true),
            ("app==web", true),
            ("app = web , env = prod", true),
            ("app=web,env=dev", false),
            ("app!=web", false),
            ("app!=cache", true),
            ("missing!=anything", true),
            ("missing=", false),
            ("empty=", true),
            ("app", true),
            ("missing", false),
            ("!missing", true),
            ("! app", false),
            ("env in (dev, prod)", true),
            ("env in (dev,test),app", false),
            ("env notin (dev,test)", true),
            ("missing notin (a)", true),
            ("missing in (a,)", false),
            ("empty in (a,)", true),
            ("example.com/rank>6", true),
            ("example.com/rank < 7", false),
            ("app>1", false),
            ("in in (x)", false),
        ] {
            let parsed: LabelSelector = selector.parse().unwrap();
            assert_eq!(parsed.matches(Some(&labels())), chosen, "{selector}");
        }
    }

    #[test]
    fn labels_that_are_not_known_meet_no_requirement() {
        for selector in ["app=web", "app!=web", "app notin (web)", "app", "!app", "rank>1"] {
            let parsed: LabelSelector = selector.parse().unwrap();
            assert!(!parsed.matches(None), "{selector}");
        }
        assert!(LabelSelector::default().matches(None));
    }

    #[test]
    fn malformed_label_selectors_are_refused_with_the_remedy() {
        for text in [
            ",",
            "app=web,",
            "=web",
            "app=we b",
            "app in web",
            "app in (a",
            "app in (a))",
            "app(a)",
            "!",
            "!app=web",
            "app=a=b",
            "a b",
            "app within (a)",
            "rank>x",
            "app in (a b)",
            "ä=b",
        ] {
            let refusal = text.parse::<LabelSelector>();
            assert_eq!(refusal, Err(SelectorError::Labels(text.to_owned())));
        }
    }

    #[test]
    fn malformed_field_selectors_are_refused_with_the_remedy() {
        for text in [",", "metadata.name", "spec.hostNetwork=true", "metadata.name=a,", "=a"] {
            let refusal = text.parse::<FieldSelector>();
            assert_eq!(refusal, Err(SelectorError::Fields(text.to_owned())));
        }
    }

    #[test]
    fn a_selector_of_more_terms_than_anybody_types_is_refused_with_the_bound() {
        let ors = (0..MOST_TERMS).map(|n| format!("v{n}")).collect::<Vec<_>>().join(",");
        let ands = (0..=MOST_TERMS).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        for text in [format!("app in ({ors})"), ands.clone()] {
            let refusal = text.parse::<LabelSelector>().unwrap_err().to_string();
            assert!(refusal.contains("129") && refusal.contains("at most 128"), "{refusal}");
        }
        assert!(ands.rsplit_once(',').unwrap().0.parse::<LabelSelector>().is_ok());
        let fields = vec!["status.phase=Running"; MOST_TERMS + 1].join(",");
        assert!(matches!(fields.parse::<FieldSelector>(), Err(SelectorError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn no_text_makes_a_selector_panic(text in "[a-z!=<>(), ]{0,30}|.{0,30}") {
            let _ = (text.parse::<LabelSelector>(), text.parse::<FieldSelector>());
        }
    }
}

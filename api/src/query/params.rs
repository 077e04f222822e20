//! Query strings: what was typed, parameter by parameter.

use std::{collections::BTreeMap, convert::Infallible, fmt::Display, str::FromStr};

use axum::{
    extract::{FromRequestParts, Query},
    http::request::Parts,
};
use utoipa::{IntoParams, openapi::path::ParameterIn};

use crate::{Prefix, errors::ApiError};

/// The parameters of one request that nobody has read yet.
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    fn of(parts: &Parts) -> Result<Self, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|error| ApiError::parameter("", error.to_string(), "percent-encode it"))?;
        let mut params = BTreeMap::new();
        for (name, value) in pairs {
            if params.contains_key(&name) {
                return Err(ApiError::parameter(name, value, "give it once"));
            }
            params.insert(name, value);
        }
        Ok(Self(params))
    }

    /// The text of a parameter.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.0.remove(name)
    }

    /// The value of a parameter that is read with `FromStr`; its error says the remedy.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(value) => Ok(Some(value)),
            Err(remedy) => Err(ApiError::parameter(name, text, remedy.to_string())),
        }
    }

    /// A whole number of 1 or more.
    pub(crate) fn positive(&mut self, name: &'static str) -> Result<Option<u32>, ApiError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if number >= 1 => Ok(Some(number)),
            _ => Err(ApiError::parameter(
                name,
                text,
                format!("give a whole number from 1 to {}", u32::MAX),
            )),
        }
    }

    fn finish(self, known: &[String]) -> Result<(), ApiError> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((name, value)) if known.is_empty() => {
                Err(ApiError::parameter(name, value, "this path takes no parameters"))
            }
            Some((name, value)) => Err(ApiError::parameter(
                name,
                value,
                format!("the parameters of this path are {}", known.join(", ")),
            )),
        }
    }
}

/// A group of parameters that belong together.
pub(crate) trait Question: Sized {
    /// Takes its parameters out of what was typed.
    fn read(params: &mut Params) -> Result<Self, ApiError>;

    /// The names of its parameters.
    fn names() -> Vec<String>;
}

/// The names a group documents are the names it takes.
pub(crate) fn documented<P: IntoParams>() -> Vec<String> {
    P::into_params(|| Some(ParameterIn::Query)).into_iter().map(|param| param.name).collect()
}

impl Question for () {
    fn read(_: &mut Params) -> Result<Self, ApiError> {
        Ok(())
    }

    fn names() -> Vec<String> {
        Vec::new()
    }
}

impl<A: Question, B: Question> Question for (A, B) {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        Ok((A::read(params)?, B::read(params)?))
    }

    fn names() -> Vec<String> {
        [A::names(), B::names()].concat()
    }
}

impl<A: Question, B: Question, C: Question> Question for (A, B, C) {
    fn read(params: &mut Params) -> Result<Self, ApiError> {
        Ok((A::read(params)?, B::read(params)?, C::read(params)?))
    }

    fn names() -> Vec<String> {
        [A::names(), B::names(), C::names()].concat()
    }
}

/// Extracts a [`Question`]; whatever else stands in the query string is refused, so that a
/// misspelt parameter is not silently without effect.
pub(crate) struct Asked<Q>(pub(crate) Q);

impl<S: Sync, Q: Question> FromRequestParts<S> for Asked<Q> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let mut params = Params::of(parts)?;
        let question = Q::read(&mut params)?;
        params.finish(&Q::names())?;
        Ok(Self(question))
    }
}

/// The path and query that the client asked with, before any proxy, to build the next page's
/// address from.
pub(crate) struct Address(pub(crate) axum::http::Uri);

impl<S: Sync> FromRequestParts<S> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(Prefix::of(&parts.extensions).before(&parts.uri)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use axum::http::Request;

    use super::*;

    /// What a query string means to a group of parameters.
    pub(crate) fn ask<Q: Question>(query: &str) -> Result<Q, ApiError> {
        let request = Request::get(format!("/api/pods?{query}")).body(()).unwrap();
        let mut params = Params::of(&request.into_parts().0)?;
        let question = Q::read(&mut params)?;
        params.finish(&Q::names())?;
        Ok(question)
    }

    #[test]
    fn an_unknown_parameter_is_refused_with_the_known_ones() {
        let refusal = ask::<crate::query::TimeParams>("windows=60").unwrap_err().to_string();
        assert!(refusal.contains("`windows=60`"), "{refusal}");
        assert!(refusal.contains("window, start, end, step"), "{refusal}");
    }

    #[test]
    fn a_parameter_given_twice_is_refused() {
        let refusal = ask::<crate::query::TimeParams>("window=60&window=70").unwrap_err();
        assert!(refusal.to_string().contains("give it once"));
    }
}

//! Reading command lines whose options can also come from the environment.
//!
//! clap names the option of a wrong value, wherever the value came from. Somebody who set a variable in
//! a manifest looks for an option that is nowhere, so the variable is named instead.

use std::{env, ffi::OsString};

use clap::{
    Arg, Command, Error, Parser,
    error::{ContextKind, ContextValue},
};

/// What was typed and what the environment adds. Where that cannot work, says so and ends the process
/// with status 2.
pub fn parse<A: Parser>() -> A {
    A::try_parse().unwrap_or_else(|error| {
        let typed: Vec<OsString> = env::args_os().collect();
        naming_variables(error, &A::command(), &typed).exit()
    })
}

/// The error, with a variable's name in the place of an option that was not typed.
fn naming_variables(mut error: Error, command: &Command, typed: &[OsString]) -> Error {
    let named = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => ContextValue::String(named(option, command, typed)),
        Some(ContextValue::Strings(options)) => {
            let named = options.iter().map(|option| named(option, command, typed));
            ContextValue::Strings(named.collect())
        }
        _ => return error,
    };
    error.insert(ContextKind::InvalidArg, named);
    error
}

/// An option as clap writes it (`--retention <TIME>`), with its variable if it was not typed.
fn named(option: &str, command: &Command, typed: &[OsString]) -> String {
    let flag = option.split([' ', '=', '[']).next().unwrap_or(option);
    let is_typed = typed.iter().filter_map(|word| word.to_str()).any(|word| {
        word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    match variable(flag.trim_start_matches('-'), command).filter(|_| !is_typed) {
        Some(variable) => format!("{variable} (the environment's {option})"),
        None => option.to_owned(),
    }
}

/// The variable of an option, be it of this command or of one below.
fn variable(long: &str, command: &Command) -> Option<String> {
    let arg = command.get_arguments().find(|arg| arg.get_long() == Some(long));
    let own = arg.and_then(Arg::get_env).map(|name| name.to_string_lossy().into_owned());
    own.or_else(|| command.get_subcommands().find_map(|below| variable(long, below)))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Subcommand};

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        #[command(subcommand)]
        command: Below,
    }

    #[derive(Debug, Subcommand)]
    enum Below {
        Up {
            #[arg(long, env = "KUBEMONITOR_TEST_RETENTION", value_name = "TIME")]
            retention: Option<u8>,
            #[arg(long)]
            count: Option<u8>,
        },
    }

    /// The message of the error that these words make.
    fn said(typed: &[&str], error_of: &[&str]) -> String {
        let error = Args::try_parse_from(error_of).expect_err("a refusal");
        let typed: Vec<OsString> = typed.iter().map(OsString::from).collect();
        naming_variables(error, &Args::command(), &typed).to_string()
    }

    #[test]
    fn a_value_from_the_environment_is_blamed_on_its_variable() {
        let wrong = ["kubemonitor", "up", "--retention=bogus"];
        // As if the value had come from the environment: it was not typed.
        let said = said(&["kubemonitor", "up"], &wrong);
        assert!(said.contains("'bogus' for 'KUBEMONITOR_TEST_RETENTION"), "{said}");
        assert!(said.contains("--retention <TIME>"), "{said}");
    }

    #[test]
    fn a_typed_value_is_blamed_on_its_option() {
        for wrong in [&["k", "up", "--retention=bogus"][..], &["k", "up", "--retention", "bogus"]] {
            let said = said(wrong, wrong);
            assert!(said.contains("'bogus' for '--retention <TIME>'"), "{said}");
            assert!(!said.contains("KUBEMONITOR_TEST_RETENTION"), "{said}");
        }
        let said = said(&["k", "up"], &["k", "up", "--count=x"]);
        assert!(said.contains("for '--count <COUNT>'"), "{said}");
    }
}

//! Scripts in Prometheus' test language, beside this file. Their answers are those of a real Prometheus.

use std::{fs, path::Path};

use kubemonitor_promql::{Engine, script};

#[test]
fn every_case_of_every_script_is_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts");
    let mut cases = 0;
    for file in fs::read_dir(folder).expect("the scripts are there") {
        let file = file.expect("a script").path();
        let text = fs::read_to_string(&file).expect("a script");
        let report = script::run(&Engine::default(), &text).expect("it can be read");
        assert!(report.failures.is_empty(), "{}: {:#?}", file.display(), report.failures);
        assert!(report.skipped.is_empty(), "{}: {report}", file.display());
        cases += report.passed;
    }
    assert!(cases > 50, "{cases} cases only");
}

#[test]
fn a_case_that_is_wrong_is_found() {
    for wrong in [
        "load 1m\n  m 1 2 3\n\neval instant at 1m m\n  m 3\n",
        "load 1m\n  m 1 2 3\n\neval instant at 1m m\n",
        "load 1m\n  m 1 2 3\n\neval instant at 1m m\n  m 2\n  n 2\n",
        "load 1m\n  m 1 2 3\n\neval range from 0 to 2m step 1m m\n  m 1 2\n",
        "eval instant at 1m 1 +\n",
        "eval instant at 1m 1\n  expect fail\n",
        "eval instant at 1m 1\n  expect warn\n",
        "load 1m\n  a 1\n  b 2\n\neval instant at 0 sort({__name__=~\"a|b\"})\n  expect ordered\n  b 2\n  a 1\n",
    ] {
        let report = script::run(&Engine::default(), wrong).expect("it can be read");
        assert_eq!(report.failures.len(), 1, "{wrong}");
    }
}

#[test]
fn what_is_no_script_says_where() {
    let error = script::run(&Engine::default(), "\nlaod 1m\n").expect_err("a wrong word");
    assert_eq!(error.to_string(), "line 2: laod is no command");
}

//! Who may write.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::builder::BoolishValueParser;
use kubemonitor_inventory::Cluster;

use super::SettingsError;
use crate::{Access, Account, Keys};

/// Who may write, as it was typed.
#[derive(Debug, clap::Args)]
pub(super) struct WriteArgs {
    /// A file with a token that opens all writes. Without one and without a cluster everybody may
    /// write.
    #[arg(long, env = "API_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// In a cluster: whose pods send frames, each those of its own node. Without NAMESPACE it is in
    /// the server's own.
    #[arg(long, env = "COLLECTOR_SERVICE_ACCOUNT", value_name = "[NAMESPACE/]NAME")]
    #[arg(default_value = "resource-collector")]
    collector_service_account: Account,
    /// In a cluster: a service account that may push JSON, with tokens for the audience kubemonitor.
    /// May be given several times, or several after one another with commas.
    #[arg(long = "push-service-account", env = "PUSH_SERVICE_ACCOUNTS")]
    #[arg(value_name = "[NAMESPACE/]NAME", value_delimiter = ',')]
    push_service_accounts: Vec<Account>,
    /// Let everybody push JSON, in whosever name; frames still need a token.
    #[arg(long, env = "ALLOW_PUSH", value_parser = BoolishValueParser::new())]
    allow_push: bool,
}

impl WriteArgs {
    /// What was typed, checked.
    pub(super) fn access(self, cluster: Option<&Cluster>) -> Result<Access, SettingsError> {
        let token = self.token_file.as_deref().map(token).transpose()?;
        if let (None, Some(pusher)) = (cluster, self.push_service_accounts.first()) {
            return Err(SettingsError::NoCluster(pusher.clone()));
        }
        if token.is_none() && cluster.is_none() {
            return Ok(Access::Open);
        }
        Ok(Access::Closed(Keys {
            token,
            collector: cluster.map(|_| self.collector_service_account),
            pushers: self.push_service_accounts,
            allow_push: self.allow_push,
        }))
    }
}

fn token(file: &Path) -> Result<Box<str>, SettingsError> {
    match fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => Err(SettingsError::EmptyToken(file.to_owned())),
        Ok(text) => Ok(text.trim().into()),
        Err(source) => Err(SettingsError::TokenFile { file: file.to_owned(), source }),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        writing: WriteArgs,
    }

    fn access(flags: &[&str], cluster: Option<&Cluster>) -> Result<Access, SettingsError> {
        let typed = Typed::try_parse_from(["server"].iter().chain(flags)).unwrap();
        typed.writing.access(cluster)
    }

    fn keys(flags: &[&str], cluster: Option<&Cluster>) -> Keys {
        match access(flags, cluster).unwrap() {
            Access::Closed(keys) => keys,
            Access::Open => panic!("open"),
        }
    }

    #[test]
    fn writing_is_open_without_a_cluster_and_closed_in_one() {
        assert!(matches!(access(&[], None).unwrap(), Access::Open));
        assert!(matches!(access(&["--allow-push"], None).unwrap(), Access::Open));
        let keys = keys(&[], Some(&Cluster::Surrounding));
        assert_eq!(keys.collector, Some("resource-collector".parse().unwrap()));
        assert!(keys.token.is_none() && keys.pushers.is_empty() && !keys.allow_push);
    }

    #[test]
    fn accounts_need_a_cluster_that_knows_them() {
        let refusal = access(&["--push-service-account=a/b"], None).unwrap_err().to_string();
        assert!(refusal.contains("a/b") && refusal.contains("--kubeconfig"), "{refusal}");
    }

    #[test]
    fn accounts_are_named_one_by_one_or_together() {
        let flags = ["--push-service-account=a/b,c", "--push-service-account=d", "--allow-push"];
        let collector = "--collector-service-account=other/collector";
        let keys = keys(&[&flags[..], &[collector]].concat(), Some(&Cluster::Surrounding));
        let named: Vec<String> = keys.pushers.iter().map(ToString::to_string).collect();
        assert_eq!(named, ["a/b", "c", "d"]);
        assert_eq!(keys.collector.unwrap().to_string(), "other/collector");
        assert!(keys.allow_push);
        let wrong = Typed::try_parse_from(["server", "--collector-service-account=A"]);
        assert!(wrong.unwrap_err().to_string().contains("NAMESPACE/NAME"));
    }

    #[test]
    fn the_token_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let flags = ["--token-file", file.to_str().unwrap()];
        let refusal = access(&flags, None).unwrap_err().to_string();
        assert!(
            refusal.contains("API_TOKEN_FILE") && refusal.contains("No such file"),
            "{refusal}"
        );
        fs::write(&file, "\n").unwrap();
        assert!(access(&flags, None).unwrap_err().to_string().contains("empty"));
        fs::write(&file, "s3cret\n").unwrap();
        assert_eq!(keys(&flags, None).token.as_deref(), Some("s3cret"));
    }
}

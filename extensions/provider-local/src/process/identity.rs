//! Which process is meant.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use stackwright::{
    error::{Error, ErrorKind, Result},
    resource::Object,
};

use super::{
    launch::MARK,
    table::{self, Entry},
};

/// One process, and no other that gets its number later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    pub(super) pid: u32,
    /// When it was started, as [`Entry::start`] has it.
    pub(super) start: String,
    /// The boot that the start counts from; `None` where the system does not say, or an older version did not note it.
    pub(super) boot: Option<String>,
    /// The object id in its environment; `None` for one that was adopted and carries none.
    pub(super) mark: Option<String>,
}

impl Identity {
    /// Returns who an entry of the table is.
    pub(super) fn of(entry: &Entry, mark: Option<String>) -> Self {
        Self { pid: entry.pid, start: entry.start.clone(), boot: table::boot(), mark }
    }

    /// Returns its entry while it runs; `None` once it ended, whoever has its number now.
    ///
    /// # Errors
    /// `local.process` where the table cannot be read.
    pub(super) fn running(&self) -> Result<Option<Entry>> {
        if self.boot.is_some() && self.boot != table::boot() {
            return Ok(None);
        }
        let entry = table::look(self.pid)?.filter(|entry| entry.is_running() && entry.start == self.start);
        Ok(entry.filter(|_| !self.is_somebody_elses()))
    }

    /// Returns whether the process of this number carries the mark of another object. One without any may be ours: a
    /// program may write over its environment.
    fn is_somebody_elses(&self) -> bool {
        let Some(mark) = &self.mark else { return false };
        let found = table::environment(self.pid).and_then(|mut environment| environment.remove(MARK));
        found.is_some_and(|found| found != *mark)
    }
}

impl fmt::Display for Identity {
    /// Writes `PID@START` or `PID@START@BOOT`: what a checkpoint holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.pid, self.start)?;
        self.boot.as_ref().map_or(Ok(()), |boot| write!(f, "@{boot}"))
    }
}

impl FromStr for Identity {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '@');
        let pid = parts.next().and_then(|pid| pid.parse().ok()).ok_or(())?;
        let start = parts.next().ok_or(())?.to_owned();
        Ok(Self { pid, start, boot: parts.next().map(str::to_owned), mark: None })
    }
}

/// What only this type reads of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Private {
    version: u32,
    start: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    boot: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
    /// How long the log file was when the process was started, in bytes.
    #[serde(default)]
    pub(super) log_from: u64,
}

impl Private {
    pub(super) fn new(identity: &Identity, log_from: u64) -> Self {
        let Identity { start, boot, mark, .. } = identity.clone();
        Self { version: 1, start, boot, mark, log_from }
    }

    pub(super) fn encode(&self) -> Result<Arc<[u8]>> {
        let bytes = serde_json::to_vec(self);
        bytes.map(Arc::from).map_err(|error| Error::bug("a process could not be described").because(error))
    }

    /// Returns who an object is, and where its part of the log begins.
    ///
    /// # Errors
    /// `resource.stored_shape` where that cannot be read: the process may run all the same.
    pub(super) fn decode(object: &Object) -> Result<(Identity, u64)> {
        let unreadable = |what: &str| {
            let message = format!("which process `{}` is, state says in a form that {what}", object.id);
            Error::new(ErrorKind::Unsupported, "resource.stored_shape", message)
        };
        let pid = object.id.parse().map_err(|_| unreadable("is not a number"))?;
        let bytes = object.private.as_deref().ok_or_else(|| unreadable("lacks its start time"))?;
        let private: Self = serde_json::from_slice(bytes).map_err(|_| unreadable("this version does not read"))?;
        if private.version != 1 {
            return Err(unreadable("this version does not read"));
        }
        let Self { start, boot, mark, log_from, .. } = private;
        Ok((Identity { pid, start, boot, mark }, log_from))
    }
}

#[cfg(test)]
mod tests {
    use stackwright::value::Value;

    use super::*;

    fn object(id: &str, private: Option<&str>) -> Object {
        let private = private.map(|text| Arc::from(text.as_bytes()));
        Object { id: id.to_owned(), attributes: Value::empty_object(), private }
    }

    #[test]
    fn survives_being_stored() {
        for (boot, mark) in [(None, None), (Some("b-1"), Some("m"))] {
            let identity = Identity {
                pid: 7,
                start: "99".to_owned(),
                boot: boot.map(str::to_owned),
                mark: mark.map(str::to_owned),
            };
            let bytes = Private::new(&identity, 12).encode().expect("plain data");
            let stored = Object { private: Some(bytes), ..object("7", None) };
            assert_eq!(Private::decode(&stored).expect("as written"), (identity.clone(), 12));
            let noted: Identity = identity.to_string().parse().expect("as written");
            assert_eq!(noted, Identity { mark: None, ..identity });
        }
    }

    #[test]
    fn what_an_older_version_stored_is_read() {
        let (identity, log_from) = Private::decode(&object("7", Some(r#"{"version":1,"start":"99"}"#))).expect("known");
        assert_eq!((identity.pid, identity.start.as_str(), log_from), (7, "99", 0));
        assert_eq!((identity.boot, identity.mark), (None, None));
    }

    #[test]
    fn what_cannot_be_read_is_not_gone() {
        for (id, private) in [
            ("7", None),
            ("7", Some("{}")),
            ("7", Some(r#"{"version":2,"start":"99"}"#)),
            ("7", Some(r#"{"version":1,"start":"99","more":1}"#)),
            ("x", Some(r#"{"version":1,"start":"99"}"#)),
        ] {
            let error = Private::decode(&object(id, private)).expect_err("not of this version");
            assert_eq!(error.code(), "resource.stored_shape", "{id} {private:?}");
        }
    }

    #[test]
    fn a_number_alone_means_nobody() {
        let me = table::look(std::process::id()).expect("a table").expect("it runs");
        let identity = Identity::of(&me, None);
        let found = identity.running().expect("a table").expect("it runs");
        assert_eq!((found.pid, &found.start), (me.pid, &me.start));
        let earlier = Identity { start: "1".to_owned(), ..identity.clone() };
        assert_eq!(earlier.running().expect("a table"), None, "another start");
        let before_boot = Identity { boot: Some("another".to_owned()), ..identity.clone() };
        assert_eq!(before_boot.running().expect("a table"), None, "another boot");
        let marked = Identity { mark: Some("m".to_owned()), ..identity };
        assert!(marked.running().expect("a table").is_some(), "a mark may have been written over");
    }
}

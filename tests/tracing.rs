//! Events as `tracing` tells them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use portcullis::{Actor, Authority, MemoryStore, NewToken, OrgId, TracingObserver, UserId};
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn changes_are_told_as_information_and_refusals_as_warnings() {
    let log = Log::default();
    // The events come from the management thread, so the subscriber is everyone's.
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_ansi(false).without_time().finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let authority = Authority::builder().observer(TracingObserver).open(MemoryStore::new()).wait().unwrap();
    let (org, owner) = (OrgId::try_from(1).unwrap(), UserId::try_from(2).unwrap());
    let host = Actor::host("recovery");
    let issued = authority.create(&host, NewToken::all_access(org).owner(owner)).wait().unwrap();
    authority.create(&host, NewToken::all_access(org)).wait().unwrap_err();
    authority.authenticate("no token has this secret, that is sure").unwrap_err();
    drop(authority);

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = log.lines().collect();
    let id = issued.token.id();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(
        lines[0].starts_with(&format!(
            " INFO portcullis: host `recovery`: created (token {id}) at revision 1 kind=\"created\" "
        )),
        "{log}"
    );
    assert!(lines[1].starts_with(
        " WARN portcullis: host `recovery`: create refused: a token made by the host needs an owner kind=\"refused\" "
    ));
    let unknown = " WARN portcullis: not authenticated: no token has this secret kind=\"notAuthenticated\" ";
    assert!(lines[2].starts_with(unknown), "{log}");
    assert!(!log.contains(issued.secret.expose()));
}

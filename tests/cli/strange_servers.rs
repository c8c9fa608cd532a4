//! What the program makes of servers, and of proxies before them, that do not answer as the routes do.

use std::path::Path;

use crate::run::{Place, command};
use crate::stub::Stub;

/// Where commands run on a server that answers everything with that.
fn always(status: u16, body: &'static str) -> Place {
    Place::server(&Stub::new(move |_| Some((status, body.to_owned()))).url, Some("secret"))
}

#[test]
fn the_status_decides_the_exit_code_whatever_the_body_is() {
    for (status, exit) in
        [(400, 2), (401, 3), (403, 3), (404, 7), (408, 6), (412, 5), (429, 6), (500, 7), (502, 6), (503, 6), (504, 6)]
    {
        for body in ["", "<html>something</html>"] {
            let ran = always(status, body).run(&["list"]);
            assert_eq!(ran.exit, exit, "{status}: {ran:?}");
            assert!(!ran.err.contains("html"), "{ran:?}");
        }
    }
    let told = always(502, r#"{"code":"unavailable","message":"too early"}"#).run(&["list"]);
    assert_eq!((told.exit, told.err.as_str()), (6, "error: too early\n"));
    let other = always(200, "<html>something</html>").run(&["list"]);
    assert_eq!(other.exit, 7);
    assert!(other.err.contains("does not answer as a token server does; is --url right?"), "{}", other.err);
}

#[test]
fn a_secret_that_an_empty_answer_refuses_may_nothing() {
    let check = ["check", "--secret-stdin", "read:buckets"];
    let denied = always(401, "").run_with(&check, "secret");
    assert_eq!((denied.exit, denied.err.as_str()), (1, ""));
    assert!(denied.out.contains("the token is not accepted"), "{denied:?}");
    assert_eq!(always(502, "").run_with(&check, "secret").exit, 6);
}

#[test]
fn a_proxy_is_for_other_machines() {
    let proxy = Stub::new(|_| Some((502, String::new())));
    let server = Stub::new(|_| Some((401, String::new())));
    let list = |url: &str| {
        let mut list = command(Path::new("."));
        list.env("HTTPS_PROXY", &proxy.url).env("PORTCULLIS_TOKEN", "secret").args(["--url", url, "list"]);
        let ended = list.output().unwrap();
        (ended.status.code().unwrap(), String::from_utf8(ended.stderr).unwrap())
    };
    for url in [server.url.clone(), server.url.replace("127.0.0.1", "localhost")] {
        let (code, error) = list(&url);
        assert_eq!((code, proxy.requests()), (3, vec![]), "{error}");
        assert!(!error.contains("warning"), "{error}");
    }
    assert_eq!(server.requests().len(), 2);
    let (code, error) = list("http://tokens.example:8086");
    assert_eq!((code, proxy.requests().len()), (6, 1), "{error}");
    let warning = "warning: `http://tokens.example:8086` is not https: secrets cross the network in the clear\n";
    assert!(error.starts_with(warning), "{error}");
}

//! When a change holds, as headers of its answer.

use http::{HeaderName, HeaderValue};
use portcullis::{Everywhere, Receipt};

/// The store's revision at which the change took effect.
const REVISION: HeaderName = HeaderName::from_static("portcullis-revision");

/// When the change holds on every server of the store: `now`, a time, or `unbounded`.
const EVERYWHERE: HeaderName = HeaderName::from_static("portcullis-everywhere");

pub(crate) fn headers(receipt: &Receipt) -> [(HeaderName, HeaderValue); 2] {
    let everywhere = match receipt.everywhere {
        Everywhere::Now => HeaderValue::from_static("now"),
        Everywhere::By(time) => text(&time.to_string()),
        Everywhere::Unbounded => HeaderValue::from_static("unbounded"),
    };
    [(REVISION, receipt.revision.into()), (EVERYWHERE, everywhere)]
}

fn text(text: &str) -> HeaderValue {
    // A time is always a header's value.
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("unbounded"))
}

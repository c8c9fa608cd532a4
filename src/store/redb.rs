//! placeholder
use std::path::Path;

//! HTTP: authentication, InfluxDB's routes for tokens, and the example server.

#![allow(unreachable_pub)] // A module's public items are for the others.

mod app;
mod authentication;
mod changes;
mod checks;
mod creation;
mod document;
mod lists;
mod names;
mod secrecy;
mod server;

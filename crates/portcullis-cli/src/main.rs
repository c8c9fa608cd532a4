//! API tokens by command line.

fn main() -> std::process::ExitCode {
    portcullis_cli::run()
}

//! The `hub` program: reads the line, runs the command, returns its exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use syncline_hub::cli::Cli;
use syncline_hub::memory::{self, Allocator};

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() -> ExitCode {
    memory::give_back_in_background();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(shown) => {
            // Help and version come this way too, with code 0. Nobody left to tell is no error.
            let _ = shown.print();
            return ExitCode::from(u8::try_from(shown.exit_code()).unwrap_or(2));
        }
    };
    match cli.run(std::env::vars_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody left to tell changes nothing.
            let _ = writeln!(std::io::stderr(), "hub: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

//! `clerk-sim`: the simulator as a program. Says where it listens in one line of JSON, then serves until killed.

use std::process::ExitCode;
use std::thread;

use clerk_sim::{Options, Simulator};
use serde_json::json;

const USAGE: &str = "usage: clerk-sim [--port PORT] [--issuer URL] [--kid ins_...]";

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => return fail(&format!("{problem}\n{USAGE}")),
    };
    let port = options.port;
    match Simulator::start_with(options) {
        Ok(simulator) => serve(&simulator),
        Err(error) => fail(&format!("cannot listen on 127.0.0.1:{port}: {error}")),
    }
}

fn serve(simulator: &Simulator) -> ! {
    let place = json!({
        "url": simulator.url(),
        "issuer": simulator.issuer(),
        "jwks_url": simulator.jwks_url(),
    });
    println!("{place}");
    loop {
        thread::park();
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--port" => {
                options.port = value()?
                    .parse()
                    .map_err(|_| "a port is a number from 0 to 65535")?
            }
            "--issuer" => options.issuer = value()?,
            "--kid" => options.kid = value()?,
            _ => return Err(format!("unknown argument {name:?}")),
        }
    }
    Ok(options)
}

fn fail(message: &str) -> ExitCode {
    eprintln!("clerk-sim: {message}");
    ExitCode::FAILURE
}

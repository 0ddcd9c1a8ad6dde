//! `clerk-sim`: the simulator as a program. Says where it listens in one line of JSON, then serves until killed.

use std::process::ExitCode;
use std::thread;

use clerk_sim::control::SettleRequest;
use clerk_sim::{Crowd, CrowdOptions, Options, Simulator, World, WorldClock, WorldOptions};
use serde_json::json;

const USAGE: &str = "usage: clerk-sim [--port PORT] [--issuer URL] [--kid ins_...] [--secret-key sk_...] \
    [--no-rate-limit] [--wall-clock] [--users N [--organizations N] [--memberships N]] [--crowd N]";

/// What the arguments say.
#[derive(Default)]
struct Arguments {
    options: Options,
    settlers: SettleRequest,
    crowd: Option<u64>,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => return fail(&format!("{problem}\n{USAGE}")),
    };
    let port = arguments.options.port;
    match Simulator::start_with(arguments.options) {
        Ok(simulator) => {
            populate(&simulator, &arguments.settlers, arguments.crowd);
            serve(&simulator)
        }
        Err(error) => fail(&format!("cannot listen on 127.0.0.1:{port}: {error}")),
    }
}

fn serve(simulator: &Simulator) -> ! {
    let place = json!({
        "url": simulator.url(),
        "issuer": simulator.issuer(),
        "jwks_url": simulator.jwks_url(),
        "api_url": simulator.api_url(),
        "secret_key": simulator.secret_key(),
    });
    println!("{place}");
    loop {
        thread::park();
    }
}

/// Fills the instance before it says where it is.
fn populate(simulator: &Simulator, settlers: &SettleRequest, crowd: Option<u64>) {
    let SettleRequest {
        users,
        organizations,
        memberships,
    } = *settlers;
    if users > 0 {
        // Who goes is replaced, and about as many may come.
        let options = WorldOptions {
            users: users..=users + users / 10 + 10,
            organizations: organizations + organizations / 10 + 10,
            ..simulator.world().options().clone()
        };
        let mut world = World::new(options);
        world.settle(users, organizations, memberships);
        simulator.set_world(world);
    }
    simulator.set_crowd(crowd.map(|users| {
        Crowd::new(CrowdOptions {
            users,
            ..CrowdOptions::default()
        })
    }));
}

fn parse(mut rest: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut arguments = Arguments::default();
    while let Some(name) = rest.next() {
        let options = &mut arguments.options;
        let settlers = &mut arguments.settlers;
        let mut value = || rest.next().ok_or_else(|| format!("{name} needs a value"));
        let mut number = || {
            let text = value()?;
            text.parse()
                .map_err(|_| format!("{name} needs a number, not {text:?}"))
        };
        match name.as_str() {
            "--port" => {
                options.port = value()?
                    .parse()
                    .map_err(|_| "a port is a number from 0 to 65535")?
            }
            "--issuer" => options.issuer = value()?,
            "--kid" => options.kid = value()?,
            "--secret-key" => options.api.secret_key = value()?,
            "--no-rate-limit" => options.api.rate_limit = None,
            "--wall-clock" => options.api.clock = WorldClock::Wall { ahead_ms: 0 },
            "--users" => settlers.users = number()?,
            "--organizations" => settlers.organizations = number()?,
            "--memberships" => settlers.memberships = number()?,
            "--crowd" => arguments.crowd = Some(number()? as u64),
            _ => return Err(format!("unknown argument {name:?}")),
        }
    }
    let settlers = &arguments.settlers;
    if settlers.memberships.max(settlers.organizations) > settlers.users * settlers.organizations {
        return Err("so many memberships would need twins".to_owned());
    }
    Ok(arguments)
}

fn fail(message: &str) -> ExitCode {
    eprintln!("clerk-sim: {message}");
    ExitCode::FAILURE
}

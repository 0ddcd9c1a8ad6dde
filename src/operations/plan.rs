//! What `clerk.configure` will change, worked out from its arguments and the instances that exist.

use clerk_core::mirror::Resource;
use clerk_core::{
    Environment, PublishableKey, check_issuer, check_origin, is_development_address, is_production_address,
    jwks_url, literal, quote,
};

use super::instances::Instance;
use super::mirror_arguments::{self, MirrorArguments};
use crate::error::Fault;

/// Where Clerk's Backend API is, for every instance.
const DEFAULT_API_URL: &str = "https://api.clerk.com/v1";

/// The arguments of `clerk.configure`; None leaves a setting alone.
#[derive(Debug, Default)]
pub struct Request {
    pub publishable_key: Option<String>,
    pub issuer: Option<String>,
    pub jwks_url: Option<String>,
    pub api_url: Option<String>,
    pub authorized_parties: Option<Vec<String>>,
    pub audiences: Option<Vec<String>>,
    pub accept_template_tokens: Option<bool>,
    pub treat_pending_as_signed_out: Option<bool>,
    pub allow_missing_azp: Option<bool>,
    pub other_issuers: Option<Vec<String>>,
    pub additional: bool,
    pub mirror: MirrorArguments,
}

/// What to write.
#[derive(Debug)]
pub struct Plan {
    pub instance: Instance,
    /// The name under which the instance exists already.
    pub former: Option<String>,
    /// Cached keys came from another URL and are not to be trusted for this one.
    pub forget_keys: bool,
    /// Keys that were fetched until now are no longer to be.
    pub stops_fetching: bool,
    pub warnings: Vec<String>,
}

/// Works out the plan, or says why the arguments make no sense.
pub fn make(existing: &[Instance], request: Request) -> Result<Plan, Fault> {
    let key = request
        .publishable_key
        .as_deref()
        .map(PublishableKey::parse)
        .transpose()
        .map_err(|error| {
            Fault::argument(format!("the publishable key cannot be used: {error}"), error.hint)
        })?;
    let named = request
        .issuer
        .clone()
        .or_else(|| key.as_ref().map(PublishableKey::issuer));
    for issuer in named.iter().chain(request.other_issuers.iter().flatten()) {
        check_address(issuer)?;
    }
    for party in request.authorized_parties.iter().flatten() {
        check_origin(party).map_err(|error| {
            Fault::argument(
                format!("authorized_parties holds {}, which {}", quote(party), error.fault),
                error.hint,
            )
        })?;
    }
    let environment = key.as_ref().map(|key| key.environment);
    let former = find(existing, named.as_deref(), environment, &request)?;
    let mut instance = match (former, &named) {
        (Some(former), _) => former.clone(),
        (None, Some(issuer)) => blank(issuer),
        (None, None) => {
            return Err(Fault::argument(
                "neither a publishable key nor an issuer was given",
                "Pass publishable_key => 'pk_…' from the API keys page of Clerk's dashboard.",
            ));
        }
    };
    let former_url = former.and_then(|former| former.jwks_url.clone());
    apply(&mut instance, request, key, named)?;
    refuse_shared_issuers(existing, &instance, former)?;
    refuse_two_environments(&instance, former, environment)?;
    refuse_shared_instance_id(existing, &instance, former)?;
    Ok(Plan {
        forget_keys: former.is_none() || instance.jwks_url.is_some() && former_url != instance.jwks_url,
        stops_fetching: former_url.is_some() && instance.jwks_url.is_none(),
        warnings: warnings(existing, &instance, former),
        former: former.map(|former| former.issuer.clone()),
        instance,
    })
}

/// The existing instance that is meant: the one that answers to the name, or, when a domain changes, the one that
/// answers to a name given as another issuer, or, without a name, the only one.
fn find<'a>(
    existing: &'a [Instance],
    named: Option<&str>,
    environment: Option<Environment>,
    request: &Request,
) -> Result<Option<&'a Instance>, Fault> {
    let Some(issuer) = named else {
        return match existing {
            [] => Ok(None),
            [only] => Ok(Some(only)),
            _ => Err(Fault::argument(
                "several instances are configured, so the one to change must be named",
                "Pass issuer => … ; SELECT issuer FROM clerk.instances lists them.",
            )),
        };
    };
    let names = std::iter::once(issuer).chain(request.other_issuers.iter().flatten().map(String::as_str));
    let found = names
        .filter_map(|name| existing.iter().find(|instance| instance.answers_to(name)))
        .next();
    match (found, existing) {
        (None, [first, ..]) if !request.additional => Err(Fault::prerequisite(
            format!("an instance is configured already: {}", quote(&first.issuer)),
            match (first.environment.as_str(), environment_of(issuer, environment)) {
                ("development", Environment::Production) => replace_hint(&first.issuer),
                ("production", Environment::Development) => {
                    "Keep development in a database of its own. Pass additional => true to trust both in this one.".to_owned()
                }
                _ => "Pass additional => true to add a second instance, other_issuers => ARRAY['the old issuer'] if the \
                      domain changed, or run clerk.remove_instance(issuer) first."
                    .to_owned(),
            },
        )),
        _ => Ok(found),
    }
}

fn blank(issuer: &str) -> Instance {
    Instance {
        issuer: issuer.to_owned(),
        other_issuers: Vec::new(),
        environment: String::new(),
        publishable_key: None,
        jwks_url: Some(jwks_url(issuer)),
        api_url: DEFAULT_API_URL.to_owned(),
        authorized_parties: Vec::new(),
        allow_missing_azp: false,
        audiences: Vec::new(),
        accept_template_tokens: false,
        treat_pending_as_signed_out: true,
        instance_id: None,
        mirror: mirror_arguments::tables(Resource::ON_BY_DEFAULT),
        exclude_fields: Vec::new(),
        keep_private_metadata: false,
        keep_event_attributes: false,
    }
}

fn apply(
    instance: &mut Instance,
    request: Request,
    key: Option<PublishableKey>,
    named: Option<String>,
) -> Result<(), Fault> {
    // A name that the instance already answers to does not rename it.
    if let Some(issuer) = named.filter(|issuer| !instance.answers_to(issuer)) {
        instance.jwks_url = Some(jwks_url(&issuer));
        instance.issuer = issuer;
    }
    if let Some(url) = request.jwks_url {
        instance.jwks_url = if url.is_empty() { None } else { Some(url) };
    }
    if let Some(url) = &instance.jwks_url {
        check_url("jwks_url", url)?;
    }
    if let Some(url) = request.api_url {
        instance.api_url = if url.is_empty() {
            DEFAULT_API_URL.to_owned()
        } else {
            url
        };
        check_url("api_url", &instance.api_url)?;
        check_api_url(&instance.api_url)?;
    }
    let set = |target: &mut Vec<String>, value: Option<Vec<String>>| {
        if let Some(value) = value {
            *target = value;
        }
    };
    set(&mut instance.other_issuers, request.other_issuers);
    set(&mut instance.authorized_parties, request.authorized_parties);
    set(&mut instance.audiences, request.audiences);
    instance.other_issuers.retain(|other| *other != instance.issuer);
    instance.accept_template_tokens = request
        .accept_template_tokens
        .unwrap_or(instance.accept_template_tokens);
    instance.allow_missing_azp = request.allow_missing_azp.unwrap_or(instance.allow_missing_azp);
    let pending = request.treat_pending_as_signed_out;
    instance.treat_pending_as_signed_out = pending.unwrap_or(instance.treat_pending_as_signed_out);
    request.mirror.apply(instance)?;
    if let Some(key) = key {
        instance.environment = key.environment.as_str().to_owned();
        instance.publishable_key = request.publishable_key;
    } else if instance.publishable_key.is_none() {
        instance.environment = environment_of(&instance.issuer, None).as_str().to_owned();
    }
    Ok(())
}

/// The environment that a publishable key names; else the one that the issuer looks like.
fn environment_of(issuer: &str, named: Option<Environment>) -> Environment {
    // Clerk gives development instances a host of its own: clerk.md, 1.2.
    named.unwrap_or(match is_development_address(issuer) {
        true => Environment::Development,
        false => Environment::Production,
    })
}

/// Another issuer is another name of the same instance, as after a change of domain. A development and a production instance are
/// two, with different users: taken for one, the development instance would go on to vouch for production's users. `named` is
/// the environment that a publishable key names in this call.
fn refuse_two_environments(
    instance: &Instance,
    former: Option<&Instance>,
    named: Option<Environment>,
) -> Result<(), Fault> {
    let fits = |issuer: &str| match instance.environment == Environment::Development.as_str() {
        true => !is_production_address(issuer),
        false => !is_development_address(issuer),
    };
    let changed = former
        .filter(|former| former.issuer != instance.issuer && former.environment != instance.environment);
    // A live key may name a host of development instances, so with a key the issuer itself is not judged by its looks.
    let issuer = std::iter::once(&instance.issuer).filter(|_| named.is_none());
    let misfit = issuer.chain(&instance.other_issuers).find(|issuer| !fits(issuer));
    let other = changed.map(|former| &former.issuer).or(misfit);
    match other {
        None => Ok(()),
        Some(other) => {
            let names = std::iter::once(&instance.issuer).chain(&instance.other_issuers);
            let mut names = names.chain(former.map(|former| &former.issuer));
            let one = names.find(|name| *name != other).unwrap_or(other);
            let old = former.map_or(other, |former| &former.issuer);
            Err(Fault::argument(
                format!(
                    "{} and {} are a development and a production instance, which are two instances with different users",
                    quote(one),
                    quote(other)
                ),
                replace_hint(old),
            ))
        }
    }
}

fn replace_hint(old: &str) -> String {
    format!(
        "To replace the old instance, run SELECT clerk.remove_instance({}) and then this call without other_issuers; \
         docs/going-live.md has the other steps. To trust both, pass additional => true instead.",
        literal(old)
    )
}

fn refuse_shared_issuers(
    existing: &[Instance],
    instance: &Instance,
    former: Option<&Instance>,
) -> Result<(), Fault> {
    let names = std::iter::once(&instance.issuer).chain(&instance.other_issuers);
    let mut pairs = names.flat_map(|name| others(existing, former).map(move |other| (name, other)));
    match pairs.find(|(name, other)| other.answers_to(name)) {
        None => Ok(()),
        Some((name, other)) => Err(Fault::argument(
            format!(
                "issuer {} already belongs to instance {}",
                quote(name),
                quote(&other.issuer)
            ),
            "One issuer means one instance; remove it from the other one first.",
        )),
    }
}

fn refuse_shared_instance_id(
    existing: &[Instance],
    instance: &Instance,
    former: Option<&Instance>,
) -> Result<(), Fault> {
    let Some(id) = &instance.instance_id else {
        return Ok(());
    };
    match others(existing, former).find(|other| other.instance_id.as_ref() == Some(id)) {
        None => Ok(()),
        Some(other) => Err(Fault::argument(
            format!(
                "instance id {} already belongs to instance {}",
                quote(id),
                quote(&other.issuer)
            ),
            "Clerk gives every instance an id of its own; the kid of its keys is the same.",
        )),
    }
}

/// Every instance but the one that is being changed.
fn others<'a>(existing: &'a [Instance], former: Option<&'a Instance>) -> impl Iterator<Item = &'a Instance> {
    existing
        .iter()
        .filter(move |other| former.is_none_or(|former| former.issuer != other.issuer))
}

fn warnings(existing: &[Instance], instance: &Instance, former: Option<&Instance>) -> Vec<String> {
    let mut warnings = Vec::new();
    if others(existing, former).any(|other| other.environment != instance.environment) {
        let text = "a development and a production instance are both trusted by this database";
        warnings.push(text.to_owned());
    }
    if instance.authorized_parties.is_empty() && instance.environment == "production" {
        warnings.push(
            "authorized_parties is not set, so tokens made for any origin of the instance are accepted"
                .to_owned(),
        );
    }
    warnings
}

fn refuse_credentials(argument: &'static str, value: &str) -> Result<(), Fault> {
    let (_, rest) = value.split_once("://").unwrap_or(("", value));
    let host = rest.split('/').next().unwrap_or_default();
    match host.contains('@') {
        true => Err(Fault::argument(
            format!("{argument} must not hold a user name or password"),
            "Clerk asks for none; leave the credentials out.",
        )),
        false => Ok(()),
    }
}

/// An https URL without credentials. Plain http passes here for a literal loopback address; the worker refuses it
/// unless a superuser allowed it.
fn check_url(argument: &'static str, value: &str) -> Result<(), Fault> {
    let refuse = |what: &str, hint: &str| {
        Err(Fault::argument(
            format!("{argument} {} {what}", quote(value)),
            hint.to_owned(),
        ))
    };
    const SUCH_AS: &str = "Use a URL such as https://clerk.example.com.";
    let Some((scheme, rest)) = value.split_once("://") else {
        return refuse("is not a URL", SUCH_AS);
    };
    let host = rest.split('/').next().unwrap_or_default();
    refuse_credentials(argument, value)?;
    if !matches!(scheme, "https" | "http") || host.is_empty() || value.len() > 2048 {
        return refuse("is not an https URL", SUCH_AS);
    }
    let loopback = host.starts_with("127.") || host.starts_with("[::1]");
    if scheme == "http" && !loopback {
        return refuse(
            "is not an https URL",
            &format!("Write {}.", literal(&format!("https://{rest}"))),
        );
    }
    if value.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return refuse("holds blanks or control characters", SUCH_AS);
    }
    Ok(())
}

/// Paths and queries are put behind it.
fn check_api_url(url: &str) -> Result<(), Fault> {
    if url.ends_with('/') || url.contains(['?', '#']) {
        return Err(Fault::argument(
            format!("api_url {} cannot be the beginning of a URL", quote(url)),
            "Use a URL such as https://api.clerk.com/v1, without a slash at the end.",
        ));
    }
    Ok(())
}

/// Issuers are compared to the token's `iss` letter by letter.
fn check_address(issuer: &str) -> Result<(), Fault> {
    if issuer.starts_with("sk_") {
        return Err(Fault::argument(
            "issuer is a secret key",
            "Pass it to clerk.set_secret_key() as a parameter, and the publishable key as publishable_key.",
        ));
    }
    // First, because the others repeat the value.
    refuse_credentials("issuer", issuer)?;
    check_issuer(issuer)
        .map_err(|error| Fault::argument(format!("issuer {} {}", quote(issuer), error.fault), error.hint))?;
    check_url("issuer", issuer)
}

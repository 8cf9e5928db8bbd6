//! Whether a request comes from a browser on this machine.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderName, header, uri::Authority},
};

/// What a proxy adds: the browser behind it may be anywhere.
const FORWARDED: [HeaderName; 4] = [
    header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-real-ip"),
];

/// The connection comes from this machine, no proxy is between, and the browser believes to talk to this machine. A page
/// of another site whose name was made to resolve to this machine would send its own name.
pub fn from_this_machine(request: &Request) -> bool {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let near = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    let headers = request.headers();
    let mut hosts = headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(is_this_machine),
        _ => false,
    };
    let asked = request.uri().authority();
    near && named
        && asked.is_none_or(|asked| is_this_machine(asked.as_str()))
        && !FORWARDED.iter().any(|name| headers.contains_key(name))
}

/// `localhost`, a name below it, or a loopback address, with or without a port.
fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    let name = authority.host().to_ascii_lowercase();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let loopback = |address: IpAddr| address.to_canonical().is_loopback();
    !host.contains('@')
        && (name == "localhost"
            || name.ends_with(".localhost")
            || address.parse().is_ok_and(loopback))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_names_that_always_mean_this_machine_are_its_names() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "prm.localhost:1",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "",
            "prm.example",
            "localhost.prm.example",
            "notlocalhost",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "evil@localhost",
            "localhost@evil",
            "127.0.0.1.evil.example",
            "2130706433",
            "localhost, evil",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn a_request_is_from_this_machine_by_peer_and_name_and_without_a_proxy() {
        let ask = |peer: Option<&str>, headers: &[(&str, &str)]| {
            let mut request = Request::get("/mail");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let mut request = request.body(Body::empty()).unwrap();
            if let Some(peer) = peer {
                let peer: SocketAddr = peer.parse().unwrap();
                request.extensions_mut().insert(ConnectInfo(peer));
            }
            from_this_machine(&request)
        };
        let host = ("host", "localhost:8080");
        assert!(ask(Some("127.0.0.1:5"), &[host]));
        assert!(ask(Some("[::1]:5"), &[host]));
        assert!(!ask(None, &[host]));
        assert!(!ask(Some("192.0.2.7:5"), &[host]));
        assert!(!ask(Some("127.0.0.1:5"), &[]));
        assert!(!ask(Some("127.0.0.1:5"), &[host, host]));
        assert!(!ask(Some("127.0.0.1:5"), &[("host", "evil.example:8080")]));
        for name in [
            "forwarded",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-real-ip",
        ] {
            assert!(
                !ask(Some("127.0.0.1:5"), &[host, (name, "127.0.0.1")]),
                "{name}"
            );
        }
    }
}

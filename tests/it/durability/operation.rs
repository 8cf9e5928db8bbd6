//! What an operator meets: the first and the last line of a log, numbers of every process, files that are nobody else's.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{
    cases,
    support::{
        TestApp,
        http::Http,
        program::{Installation, stopped, terminate},
        until,
    },
};

cases!(
    what_the_server_writes_is_its_user_s_alone,
    a_process_logs_its_start_and_its_stop_and_a_worker_serves_its_metrics,
    silent_connections_shut_nobody_out,
);

const PASSWORD: &str = "correct horse battery";

/// What others could read below a folder, itself included.
fn open_to_others(path: &Path) -> Vec<String> {
    let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let mut open = Vec::new();
    if mode & 0o077 != 0 {
        open.push(format!("{} {mode:o}", path.display()));
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            open.extend(open_to_others(&entry.unwrap().path()));
        }
    }
    open
}

async fn what_the_server_writes_is_its_user_s_alone(t: TestApp) {
    let folder = t.folder().join("site");
    fs::create_dir_all(folder.join("mail")).unwrap();
    let early = folder.join("mail/early.eml");
    fs::write(&early, "a link").unwrap();
    for (path, mode) in [
        (&early, 0o644),
        (&folder.join("mail"), 0o755),
        (&folder, 0o755),
    ] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let elsewhere = t.folder().join("elsewhere.db");
    fs::write(&elsewhere, "").unwrap();
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o644)).unwrap();
    let site = Installation::new(folder.clone(), &format!("sqlite://{}", elsewhere.display()));
    site.administrator(PASSWORD).await;
    let server = site.serve().await;
    // The log is the test's own.
    fs::remove_file(folder.join("server.log")).unwrap();
    assert_eq!(open_to_others(&folder), Vec::<String>::new());
    for suffix in ["", "-wal", "-shm"] {
        let path = format!("{}{suffix}", elsewhere.display());
        assert_eq!(open_to_others(Path::new(&path)), Vec::<String>::new());
    }
    drop(server);
}

async fn a_process_logs_its_start_and_its_stop_and_a_worker_serves_its_metrics(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.administrator(PASSWORD).await;
    let mut server = site.serve().await;
    server.terminate();
    assert!(server.stopped().await.success());
    let log = site.log();
    let lines = |what: &str| log.lines().filter(|line| line.contains(what)).count();
    assert_eq!((lines(" started "), lines(" stopped")), (1, 1), "{log}");
    assert!(
        log.contains("command=\"serve\"") && log.contains(env!("CARGO_PKG_VERSION")),
        "{log}"
    );

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let site = Installation::new(t.folder().join("worker"), &url)
        .with("ENSEMBLE_METRICS_LISTEN", address.clone());
    let log = fs::File::create(site.folder().join("worker.log")).unwrap();
    let mut command = site.command(["worker"]);
    let mut worker = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let (http, metrics) = (Http::default(), format!("http://{address}/metrics"));
    let sealed = "ensemble_jobs_total{job=\"auditSeal\",outcome=\"done\"}";
    until("numbers of the worker", || async {
        matches!(http.get(&metrics).await, Ok((200, text)) if text.contains(sealed))
    })
    .await;
    let (_, text) = http.get(&metrics).await.unwrap_or_default();
    for name in [
        "ensemble_jobs_total",
        "ensemble_job_seconds",
        "ensemble_operations_total",
    ] {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}: {text}");
    }
    terminate(&worker);
    assert!(stopped(&mut worker).await.success());
    let log = fs::read_to_string(site.folder().join("worker.log")).unwrap();
    assert!(
        log.contains("command=\"worker\"") && log.contains(" stopped"),
        "{log}"
    );
}

async fn silent_connections_shut_nobody_out(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.administrator(PASSWORD).await;
    let server = site.serve_with_descriptors(256).await;
    let host = server.address.strip_prefix("http://").unwrap();
    let mut silent = Vec::new();
    for number in 0..240 {
        let mut stream = TcpStream::connect(host).await.unwrap();
        if number % 2 == 0 {
            // Half of a head.
            let _ = stream.write_all(b"GET /livez HTTP/1.1\r\n").await;
        }
        silent.push(stream);
    }
    let http = Http::default();
    for path in ["livez", "readyz"] {
        let probe = format!("{}/{path}", server.address);
        let answer = tokio::time::timeout(std::time::Duration::from_secs(5), http.get(&probe));
        assert!(matches!(answer.await, Ok(Ok((200, _)))), "{path}");
    }
    drop(silent);
    // Neither do idle connections from many addresses.
    let mut idle = Vec::new();
    for number in 0..240_u8 {
        let socket = TcpSocket::new_v4().unwrap();
        let from = std::net::SocketAddr::from(([127, 0, 0, 2 + number % 60], 0));
        socket.bind(from).unwrap();
        let mut stream = socket.connect(host.parse().unwrap()).await.unwrap();
        let request = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
        let _ = stream.write_all(request).await;
        let mut status = [0; 12];
        let answered = stream.read_exact(&mut status);
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), answered).await;
        idle.push(stream);
    }
    let probe = format!("{}/readyz", server.address);
    let answer = tokio::time::timeout(std::time::Duration::from_secs(5), http.get(&probe));
    assert!(matches!(answer.await, Ok(Ok((200, _)))));
    drop(idle);
    // The file descriptors reserved for the database were never used.
    let log = site.log();
    assert!(!log.contains("Too many open files"), "{log}");
    assert!(!log.contains("unable to open"), "{log}");
}

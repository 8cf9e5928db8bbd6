//! Commands whose output nobody reads, or that nothing can hold.

use std::{
    fs::File,
    process::{Command, Output, Stdio},
};

use crate::{
    cases,
    support::{
        TestApp,
        program::{Installation, stopped, terminate},
        until,
    },
};

cases!(
    commands_whose_reader_is_gone_end_as_usual,
    a_server_whose_reader_is_gone_serves,
    sqlite: [output_that_nothing_can_hold_is_an_error],
);

const MAPPING: &str = r#"
program = "Partner programme"
[[files]]
file = "partners.csv"
format = "csv"
entity = "partner"
columns = { external_id = "id", legal_name = "name" }
"#;

/// The writing end of a pipe that nobody reads from.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

async fn run(mut command: Command) -> Output {
    let run = tokio::task::spawn_blocking(move || command.output().unwrap());
    run.await.unwrap()
}

async fn commands_whose_reader_is_gone_end_as_usual(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    let folder = site.folder().display().to_string();
    std::fs::write(site.folder().join("mapping.toml"), MAPPING).unwrap();
    std::fs::write(site.folder().join("partners.csv"), "id,name\n1,Acme\n2,\n").unwrap();
    let import = ["import", "--mapping", "mapping.toml", "--folder", &folder];
    let accrual = ["run", "accrual", "--program", "Partner programme"];
    let admin = [
        "admin",
        "create",
        "--email",
        "a@vendor.example",
        "--name",
        "A",
    ];
    // Each command twice: nobody reads what it prints, then nobody reads its errors.
    let commands: [(&[&str], [i32; 2]); 12] = [
        (&["--help"], [0, 0]),
        (&["schema"], [0, 0]),
        (&["import", "--template", "deals"], [0, 0]),
        (&["check-config"], [0, 0]),
        (&["--mode", "unknown", "check-config"], [2, 2]),
        (&["migrate"], [0, 0]),
        // Made-up data goes to a new database only.
        (&["seed", "--partners", "3", "--deals", "6"], [0, 1]),
        // One of its rows is refused.
        (&import, [3, 3]),
        (&accrual, [0, 0]),
        (&["run", "reseal"], [0, 0]),
        (&["verify"], [0, 0]),
        // The address is taken then.
        (&admin, [0, 1]),
    ];
    for (arguments, [unread_output, unread_errors]) in commands {
        let mut command = site.command(arguments);
        command.stdout(unread()).stderr(Stdio::piped());
        let output = run(command).await;
        let code = output.status.code();
        assert_eq!(code, Some(unread_output), "{arguments:?}: {output:?}");
        let mut command = site.command(arguments);
        command.stdout(Stdio::piped()).stderr(unread());
        let output = run(command).await;
        let code = output.status.code();
        assert_eq!(code, Some(unread_errors), "{arguments:?}: {output:?}");
    }
}

async fn a_server_whose_reader_is_gone_serves(t: TestApp) {
    let url = t.fresh_database().await;
    let site = Installation::new(t.folder().join("site"), &url);
    site.done(["seed"]).await;
    let log = File::create(site.folder().join("server.log")).unwrap();
    let mut command = site.command(["serve"]);
    let mut server = command.stdout(unread()).stderr(log).spawn().unwrap();
    until("the start", || async { site.log().contains(" started") }).await;
    terminate(&server);
    assert_eq!(stopped(&mut server).await.code(), Some(0), "{}", site.log());
}

async fn output_that_nothing_can_hold_is_an_error(t: TestApp) {
    let site = Installation::new(t.folder().join("site"), t.url());
    let mut command = site.command(["schema"]);
    let full = File::options().write(true).open("/dev/full").unwrap();
    command.stdout(full).stderr(Stdio::piped());
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("No space left on device"), "{said}");
}

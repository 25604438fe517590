//! `guike doctor`, `guike completions` and `guike man`.

use crate::support::{Desk, shop_csv};

#[test]
fn a_sound_machine_and_whole_folders_are_good() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(60));
    assert_eq!(desk.guike(&["run", "log.csv", "--budget", "fast", "--out", "shop"]).code, 0);
    let ended = desk.guike(&["doctor", "shop", "--format", "csv"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let line = |start: &str| ended.stdout.lines().find(|l| l.starts_with(start)).unwrap_or_default().to_owned();
    assert_eq!(line("arithmetic"), "arithmetic,good,BG/NBD on the CDNOW sample has the published estimates,");
    assert_eq!(line("shop"), "shop,good,\"a run over 60 customers, whole\",");
    assert_eq!(line("this folder"), "this folder,good,can be written,");
    assert!(!ended.stdout.contains(",broken,"), "{}", ended.stdout);
    assert_eq!(desk.names(), ["log.csv", "shop"], "it leaves nothing behind");
}

#[test]
fn what_is_broken_is_shown_beside_the_rest_and_decides_the_exit_code() {
    let desk = Desk::new();
    desk.put("log.csv", shop_csv(60));
    assert_eq!(desk.guike(&["run", "log.csv", "--budget", "fast", "--out", "shop"]).code, 0);
    let forecasts = desk.text("shop/forecasts.csv");
    desk.put("shop/forecasts.csv", &forecasts[..forecasts.len() / 2]);
    let ended = desk.guike(&["doctor", "shop", "no-such-model", "--format", "csv"]);
    assert_eq!(ended.code, 5, "the first that is broken is damaged: {}", ended.stdout);
    assert!(
        ended.stdout.contains("shop,broken,") && ended.stdout.contains("no-such-model,broken,"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("arithmetic,good,"), "{}", ended.stdout);
    desk.put("guike.toml", "[forecast]\nhorzion = \"90d\"\n");
    let ended = desk.guike(&["doctor"]);
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    assert!(ended.stderr.contains("horzion"), "{}", ended.stderr);
}

#[test]
fn completions_and_manual_pages_know_every_command() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = desk.guike(&["completions", shell]).stdout;
        for word in ["evaluate", "doctor", "horizon"] {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
    }
    let ended = desk.guike(&["man", "pages"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    for page in ["guike.1", "guike-run.1", "guike-keys-add.1"] {
        let text = desk.text(&format!("pages/{page}"));
        assert!(text.contains(".TH") && text.contains("SYNOPSIS"), "{page}");
    }
    assert!(desk.text("pages/guike-run.1").contains("horizon"));
    desk.put("file", "");
    let ended = desk.guike(&["man", "file"]);
    assert!(ended.code == 2 && ended.stderr.contains("`file`"), "{}", ended.stderr);
}

//! Progress on standard error, when it is a terminal, and Ctrl-C as a request to stop.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use guike_core::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

static STOP: AtomicBool = AtomicBool::new(false);

/// A bar on a terminal, silence elsewhere; knows about Ctrl-C in both.
#[derive(Debug)]
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// Installs the Ctrl-C handler and a hidden bar. A second Ctrl-C ends the process at once.
    pub(crate) fn new(quiet: bool) -> Bar {
        // a handler that is already there (in tests) is as good as this one
        let _ = ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
        });
        let visible = !quiet && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.enable_steady_tick(Duration::from_millis(120));
        Bar { bar }
    }

    /// Writes a line above the bar.
    pub(crate) fn say(&self, line: &str) {
        self.bar.suspend(|| crate::show::message(line));
    }

    /// Removes the bar from the screen.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn stage(&self, name: &str, total: u64) {
        let template = if total > 0 {
            "{msg:28} {bar:30} {percent:>3} %  {elapsed} gone, about {eta} left"
        } else {
            "{msg:28} {spinner} {human_pos} ({elapsed})"
        };
        self.bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        self.bar.set_length(total.max(1));
        self.bar.set_position(0);
        self.bar.reset_elapsed();
        self.bar.set_message(name.to_owned());
    }

    fn advance(&self, amount: u64) {
        self.bar.inc(amount);
    }

    fn cancelled(&self) -> bool {
        STOP.load(Ordering::SeqCst)
    }
}

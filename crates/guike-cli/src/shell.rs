//! `guike completions` and `guike man`: what a shell and `man` need to know, made from the table of flags.

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use guike::Error;

use crate::args::Args;
use crate::show;

/// `guike completions`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  guike completions bash > ~/.local/share/bash-completion/completions/guike\n  \
    guike completions zsh > ~/.zfunc/_guike\n  guike completions fish > ~/.config/fish/completions/guike.fish")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// `guike man`.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:\n  guike man ~/.local/share/man/man1\n  man guike-run")]
pub(crate) struct ManPages {
    /// Folder for the pages; made where there is none.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Prints the completions of a shell.
pub(crate) fn completions(flags: &Completions) {
    let mut text = Vec::new();
    clap_complete::generate(flags.shell, &mut Args::command(), "guike", &mut text);
    show::data(&String::from_utf8_lossy(&text));
}

/// Writes one page for the command and one for each of its commands.
///
/// # Errors
/// [`Error`] when the folder cannot be written.
pub(crate) fn man_pages(flags: &ManPages, quiet: bool) -> Result<(), Error> {
    let refused = |e: std::io::Error| Error::Config {
        what: "DIR".to_owned(),
        value: flags.folder.display().to_string(),
        rule: format!("pages cannot be written there ({e}); choose a folder of your own"),
    };
    std::fs::create_dir_all(&flags.folder).map_err(refused)?;
    let mut command = Args::command();
    command.build();
    let n = write_pages(&command, "guike", &flags.folder).map_err(refused)?;
    if !quiet {
        show::message(&format!("wrote {n} pages to {}", flags.folder.display()));
    }
    Ok(())
}

fn write_pages(command: &clap::Command, name: &str, folder: &Path) -> std::io::Result<usize> {
    let mut page = Vec::new();
    Man::new(command.clone()).title(name).render(&mut page)?;
    std::fs::write(folder.join(format!("{name}.1")), page)?;
    let mut n = 1;
    for inner in command.get_subcommands().filter(|c| c.get_name() != "help") {
        n += write_pages(inner, &format!("{name}-{}", inner.get_name()), folder)?;
    }
    Ok(n)
}

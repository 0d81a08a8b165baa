//! What the commands are, for a shell and for `man`.

use std::error::Error;

use clap::Args;
use clap_complete::Shell;

use crate::terminal::print;

pub(super) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  appointd completions bash > ~/.local/share/bash-completion/completions/appointd
  appointd completions zsh > ~/.zfunc/_appointd       # fpath+=~/.zfunc in ~/.zshrc
  appointd completions fish > ~/.config/fish/completions/appointd.fish";

pub(super) const MAN_EXAMPLES: &str = "\
Examples:
  appointd man > /usr/local/share/man/man1/appointd.1
  appointd man serve > /usr/local/share/man/man1/appointd-serve.1
  appointd man tenant export > /usr/local/share/man/man1/appointd-tenant-export.1";

#[derive(Args)]
pub(super) struct CompletionsArgs {
    /// The shell to complete commands in
    shell: Shell,
}

#[derive(Args)]
pub(super) struct ManArgs {
    /// The command the page is about, such as serve or tenant export [default: appointd itself]
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
}

pub(super) fn completions(mut command: clap::Command, args: &CompletionsArgs) -> Result<(), Box<dyn Error>> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "appointd", &mut script);
    Ok(print(&script)?)
}

pub(super) fn man(command: clap::Command, args: &ManArgs) -> Result<(), Box<dyn Error>> {
    Ok(print(&page(command, &args.path)?)?)
}

fn page(mut command: clap::Command, path: &[String]) -> Result<Vec<u8>, Box<dyn Error>> {
    // Names and usage lines of the commands below say what is above them.
    command.build();
    let mut name = "appointd".to_owned();
    for word in path {
        let Some(below) = command.find_subcommand(word).cloned() else {
            let known: Vec<_> = command.get_subcommands().map(clap::Command::get_name).collect();
            return Err(match known.as_slice() {
                [] => format!("`{name}` has no commands"),
                known => format!("`{name}` has no command {word}; it has {}", known.join(", ")),
            }
            .into());
        };
        command = below;
        name = format!("{name} {word}");
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}

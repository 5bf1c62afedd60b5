//! `startxd ready`.

use super::ask::{ask, told};
use super::exit::Exit;
use crate::environment::{Block, policy};
use crate::launch::{Connection, Reply, Request};
use crate::runtime_dir::RuntimeDir;

/// Tells the host that the session is ready, with variables to export, each as `NAME=VALUE`.
pub async fn run(runtime: &RuntimeDir, variables: &[String]) -> Exit {
    let variables = match read(variables) {
        Ok(variables) => variables,
        Err(why) => {
            tracing::error!("{why}");
            return Exit::Usage;
        }
    };
    let deadlines = super::configuration().deadlines;
    let Ok(host) = Connection::connect(&runtime.host_socket()) else {
        tracing::error!("no session of startxd is up; see: startxd status");
        return Exit::NotRunning;
    };
    let patience = deadlines.launch + deadlines.user_manager;
    told(patience, ask(&host, &Request::Ready(variables), |reply| *reply == Reply::Heard)).await
}

/// The variables, unless the manager would refuse one or a line of the message cannot hold it.
fn read(words: &[String]) -> Result<Block, String> {
    let variable = |word: &String| {
        let (name, value) = word.split_once('=').filter(|(name, _)| policy::is_name(name)).ok_or_else(|| {
            format!("{word:?} is not a variable: write NAME=VALUE, as in: startxd ready I3SOCK=\"$I3SOCK\"")
        })?;
        if !policy::is_value(value) || value.contains('\n') {
            return Err(format!("the value of {name} has control characters"));
        }
        Ok((name.to_owned(), value.to_owned()))
    };
    words.iter().map(variable).collect()
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::environment::Block;

    #[test]
    fn a_word_that_is_not_a_variable_is_refused() {
        let read = |words: &[&str]| read(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>());
        assert_eq!(read(&[]), Ok(Block::new()));
        let both = Block::from([("A".to_owned(), String::new()), ("I3SOCK".to_owned(), "/run/a=b".to_owned())]);
        assert_eq!(read(&["I3SOCK=/run/a=b", "A="]), Ok(both));
        for (word, why) in
            [("I3SOCK", "is not a variable"), ("1A=x", "is not a variable"), ("A=x\ny", "control characters")]
        {
            assert!(read(&[word]).is_err_and(|error| error.contains(why)), "{word}");
        }
    }
}

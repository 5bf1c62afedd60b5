//! Recipes of docs/recipes for what only the zoo has, followed as printed: a session by the unit that they enable, another
//! server, and the logout.

use crate::animals::Animal;
use crate::harness::Guest;
use crate::life::{LONG, at_prompt, autostart_ran, is_up, logs_out};
use crate::pages::follow;

/// Of an animal, by its page.
fn works(name: &str) {
    let animal = Animal::named(name);
    let desk = at_prompt(Guest::zoo(), animal);
    follow(&desk, &format!("docs/recipes/{name}.md"));
    desk.types("startxd start");
    is_up(&desk);
    autostart_ran(&desk, 1);
    desk.shell_as("ada", "startxd restart xorg").deadline(LONG).run().ok();
    is_up(&desk);
    autostart_ran(&desk, 2);
    logs_out(&desk, animal);
}

macro_rules! pages {
    ($($name:ident)*) => { $(#[test] #[ignore = "make zoo runs it"] fn $name() { works(stringify!($name)); })* };
}

pages!(plasma xfce xmonad);

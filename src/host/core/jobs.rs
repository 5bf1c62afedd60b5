//! Requested jobs, and looks at units: what is under way to the manager and back. Pure.

use super::event::{JobId, Order};
use crate::manager::ServiceEnd;

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Done {
    /// Its result; "done" if it went well.
    pub(super) result: String,
    /// How the main process of its unit ended, if the job failed and the unit is a service.
    pub(super) end: Option<ServiceEnd>,
}

/// Jobs from the request to their end; `T` says what each is for.
///
/// A race: the manager's answer with the job and its signal that the job has ended arrive in two queues, so a job may
/// end before we know that it is ours. Jobs that end while an answer is outstanding are remembered until the answer
/// arrives.
#[derive(Debug)]
pub(super) struct Jobs<T> {
    next: u32,
    asked: Vec<(Order, T)>,
    queued: Vec<(JobId, T)>,
    early: Vec<(JobId, Done)>,
}

impl<T> Default for Jobs<T> {
    fn default() -> Self {
        Self { next: 0, asked: Vec::new(), queued: Vec::new(), early: Vec::new() }
    }
}

impl<T: Clone> Jobs<T> {
    /// A new request.
    pub(super) fn ask(&mut self, purpose: T) -> Order {
        self.next += 1;
        let order = Order(self.next);
        self.asked.push((order, purpose));
        order
    }

    /// The manager has answered with a job. Returns what it is for, and its result if it has ended already; `None` if
    /// nothing waits for it any more.
    pub(super) fn answered(&mut self, order: Order, job: JobId) -> Option<(T, Option<Done>)> {
        let purpose = self.take_asked(order)?;
        let early = self.early.iter().position(|(early, _)| *early == job);
        let done = early.map(|at| self.early.swap_remove(at).1);
        if done.is_none() {
            self.queued.push((job, purpose.clone()));
        }
        self.forget_early();
        Some((purpose, done))
    }

    /// The manager refused, or did not answer. Returns what the job was for.
    pub(super) fn refused(&mut self, order: Order) -> Option<T> {
        let purpose = self.take_asked(order);
        self.forget_early();
        purpose
    }

    /// A job has ended. Returns what it was for, if it is one of these.
    pub(super) fn done(&mut self, job: JobId, done: Done) -> Option<(T, Done)> {
        if let Some(at) = self.queued.iter().position(|(ours, _)| *ours == job) {
            return Some((self.queued.swap_remove(at).1, done));
        }
        if !self.asked.is_empty() {
            self.early.push((job, done));
        }
        None
    }

    /// Whether one of these was requested and not answered.
    pub(super) fn is_asked(&self, which: impl Fn(&T) -> bool) -> bool {
        self.asked.iter().any(|(_, purpose)| which(purpose))
    }

    /// Whether nothing is outstanding.
    pub(super) const fn is_empty(&self) -> bool {
        self.asked.is_empty() && self.queued.is_empty()
    }

    /// Nothing waits for any of them any more.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
        self.queued.clear();
        self.early.clear();
    }

    fn take_asked(&mut self, order: Order) -> Option<T> {
        let at = self.asked.iter().position(|(asked, _)| *asked == order)?;
        Some(self.asked.swap_remove(at).1)
    }

    fn forget_early(&mut self) {
        if self.asked.is_empty() {
            self.early.clear();
        }
    }
}

/// Looks at units: one at a time, and another if something has changed since it began.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// The number of the last look.
    number: u32,
    in_flight: bool,
    again: bool,
}

impl Looks {
    /// Something has changed. Returns the number of the look to start now, unless one is under way.
    pub(super) fn want(&mut self) -> Option<u32> {
        if self.in_flight {
            self.again = true;
            return None;
        }
        self.in_flight = true;
        self.number += 1;
        Some(self.number)
    }

    /// A look is over. Returns whether it is the one that was under way.
    pub(super) fn over(&mut self, number: u32) -> bool {
        let ours = self.in_flight && number == self.number;
        if ours {
            self.in_flight = false;
        }
        ours
    }

    /// Whether something has changed since the last look began; true only once for each change.
    pub(super) fn take_again(&mut self) -> bool {
        std::mem::take(&mut self.again)
    }
}

#[cfg(test)]
mod tests {
    use super::{Done, JobId, Jobs, Looks};

    fn done(result: &str) -> Done {
        Done { result: result.to_owned(), end: None }
    }

    #[test]
    fn a_job_that_ends_before_its_answer_is_not_missed() {
        let job = |name: &str| JobId(name.to_owned());
        let mut jobs = Jobs::default();
        let (first, second) = (jobs.ask("a"), jobs.ask("b"));
        assert_eq!(jobs.done(job("/1"), done("failed")), None);
        assert_eq!(jobs.answered(first, job("/1")), Some(("a", Some(done("failed")))));
        assert_eq!(jobs.answered(first, job("/1")), None, "once");
        assert_eq!(jobs.answered(second, job("/2")), Some(("b", None)));
        assert!(!jobs.is_empty());
        // Somebody else's job, with nothing outstanding.
        assert_eq!(jobs.done(job("/3"), done("done")), None);
        assert_eq!(jobs.done(job("/2"), done("done")), Some(("b", done("done"))));
        assert!(jobs.is_empty() && jobs.early.is_empty());
        let third = jobs.ask("c");
        assert_eq!(jobs.refused(third), Some("c"));
        assert!(jobs.is_empty());
    }

    #[test]
    fn one_look_at_a_time_and_one_more_for_what_changed_meanwhile() {
        let mut looks = Looks::default();
        assert_eq!((looks.want(), looks.want(), looks.want()), (Some(1), None, None));
        assert!(!looks.over(7) && looks.over(1) && !looks.over(1));
        assert_eq!((looks.take_again(), looks.take_again()), (true, false));
        assert_eq!(looks.want(), Some(2));
    }
}

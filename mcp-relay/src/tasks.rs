//! Requests whose result comes later, as that of a task (MCP 2025-11-25, "Tasks", and the extension
//! `io.modelcontextprotocol/tasks`).

use std::collections::{HashMap, VecDeque};

/// Most tasks that are waited for.
const MOST: usize = 16_384;
/// Longest task id in bytes; a longer one is not waited for.
const LONGEST: usize = 1_024;

/// What is known of the requests that wait for their task's end, by the task's id.
#[derive(Debug)]
pub struct Tasks<T> {
    waiting: HashMap<String, T>,
    /// In the order of their beginning; those that ended meanwhile are still in it.
    order: VecDeque<String>,
}

impl<T> Default for Tasks<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T> Tasks<T> {
    /// A request became the task `id`. Gives back what will not be waited for because of that: the oldest, where there are
    /// too many.
    pub fn begin(&mut self, id: &str, known: T) -> Option<T> {
        if !Self::takes(id) {
            return Some(known);
        }
        // Two tasks of one id are the server's mistake; the first request will see no end of its own.
        let replaced = self.waiting.insert(id.to_owned(), known);
        if replaced.is_some() {
            return replaced;
        }
        self.order.push_back(id.to_owned());
        if self.order.len() > 2 * MOST {
            let waiting = &self.waiting;
            self.order.retain(|id| waiting.contains_key(id));
        }
        while self.waiting.len() > MOST {
            let dropped = self.order.pop_front().and_then(|oldest| self.waiting.remove(&oldest));
            if dropped.is_some() {
                return dropped;
            }
        }
        None
    }

    /// Whether a task of this id can be waited for.
    pub fn takes(id: &str) -> bool {
        id.len() <= LONGEST
    }

    /// Whether nothing is waited for.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What is known of the request that became the task `id`.
    pub fn of(&self, id: &str) -> Option<&T> {
        self.waiting.get(id)
    }

    /// The task ended: what is known of its request, for the first who says so.
    pub fn end(&mut self, id: &str) -> Option<T> {
        self.waiting.remove(id)
    }

    /// All that are still waited for.
    pub fn drain(&mut self) -> Vec<T> {
        self.order.clear();
        self.waiting.drain().map(|(_, known)| known).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tasks_end_is_told_once() {
        let mut tasks = Tasks::default();
        assert_eq!(tasks.begin("a", 1), None);
        assert_eq!(tasks.of("a"), Some(&1));
        assert_eq!(tasks.end("a"), Some(1));
        assert_eq!(tasks.end("a"), None);
    }

    #[test]
    fn nothing_is_forgotten_without_being_given_back() {
        let mut tasks = Tasks::default();
        let mut back: Vec<usize> = (0..MOST + 10).filter_map(|n| tasks.begin(&n.to_string(), n)).collect();
        assert_eq!(back, (0..10).collect::<Vec<_>>());
        back.extend(tasks.begin(&MOST.to_string(), 0));
        back.extend(tasks.begin(&"x".repeat(LONGEST + 1), 1));
        assert_eq!(back.len(), 12);
        assert_eq!(tasks.drain().len(), MOST);
    }
}

//! [`Live`]: a text that is shown again when it has become another: on a terminal in place of the one before, else below it.
//!
//! In place means that the cursor goes up over what was drawn. There is nothing to be undone at the end, however the process
//! ends, and what stood above stays. To know how many lines that is, none may wrap, and none scroll out of sight: so lines are cut
//! at the edge of the window, and what is below its end is left out.

use super::text::cut;
use super::{Ui, Window, style};
use crate::failure::Failure;

/// A text that is shown again and again.
pub struct Live<'u> {
    ui: &'u Ui,
    /// What stands between two texts that are not drawn in place.
    between: &'static str,
    shown: Option<String>,
    /// The window that was drawn to, and how many lines.
    drawn: Option<(Window, usize)>,
    complained: Option<String>,
}

impl<'u> Live<'u> {
    /// Nothing is shown yet.
    #[must_use]
    pub const fn new(ui: &'u Ui, between: &'static str) -> Self {
        Self { ui, between, shown: None, drawn: None, complained: None }
    }

    /// Shows a text, which ends with a line end, below the one before, unless it is the same.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub fn append(&mut self, text: &str) -> Result<(), Failure> {
        match self.shown.as_deref() {
            Some(shown) if shown == text => return Ok(()),
            Some(_) => self.ui.print(&format!("{}{text}", self.between))?,
            None => self.ui.print(text)?,
        }
        self.shown = Some(text.to_owned());
        Ok(())
    }

    /// Draws a text in place of the one before, unless it and the window are the same.
    ///
    /// # Errors
    /// When stdout does not take it.
    pub fn draw(&mut self, text: &str) -> Result<(), Failure> {
        let window = self.ui.window();
        let is_same_window = self.drawn.is_none_or(|(drawn, _)| drawn == window);
        if is_same_window && self.shown.as_deref() == Some(text) {
            return Ok(());
        }
        let start = match self.drawn {
            None => String::new(),
            Some((_, lines)) if is_same_window => format!("\r\x1b[{lines}A"),
            // What was drawn may have wrapped: nobody knows where it begins now.
            Some(_) => "\x1b[2J\x1b[H".to_owned(),
        };
        let lines = frame(text, window);
        self.ui.draw(&start, &lines)?;
        self.drawn = Some((window, lines.len()));
        self.shown = Some(text.to_owned());
        Ok(())
    }

    /// Says what is wrong, once as long as it is the same.
    pub fn complain(&mut self, failure: &Failure) {
        let message = failure.message();
        if self.complained.as_ref() != Some(&message) {
            self.ui.fail(failure);
            self.complained = Some(message);
        }
    }
}

/// The lines of a text that a window has room for, with the cursor below them.
fn frame(text: &str, window: Window) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| cut(line, window.columns)).collect();
    let room = window.rows.saturating_sub(1).max(1);
    if lines.len() > room {
        let (hidden, dim) = (lines.len() - room + 1, style::DIM);
        lines.truncate(room - 1);
        lines.push(cut(&format!("{dim}  and {hidden} more lines{dim:#}"), window.columns));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_its_window() {
        let plain = |columns, rows| {
            let lines = frame("one\ntwo is long\nthree\nfour\n", Window { columns, rows });
            lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(plain(80, 5), ["one", "two is long", "three", "four"]);
        assert_eq!(plain(6, 5), ["one", "two is", "three", "four"]);
        assert_eq!(plain(80, 4), ["one", "two is long", "  and 2 more lines"]);
        assert_eq!(plain(80, 1), ["  and 4 more lines"]);
    }
}

//! The page's HTML. It has no script and nothing from elsewhere, and shows everything as text.

use std::fmt::Write as _;

use server_verifier::approvals::Request;

use super::desk::Standing;
use super::words::{self, Section};

/// The whole of its looks; light or dark as the browser is.
pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8888;--strong:#0a58ca;font:1rem/1.5 system-ui,sans-serif}\n\
@media(prefers-color-scheme:dark){:root{--strong:#8ab4ff}}\n\
body{margin:0 auto;max-width:60rem;padding:1rem}\n\
h1{font-size:1.4rem}h2{font-size:1rem;margin:1.2rem 0 .2rem}\n\
a{color:var(--strong)}\n\
a:focus-visible,button:focus-visible,pre:focus-visible{outline:3px solid var(--strong);outline-offset:2px}\n\
pre{margin:0;padding:.5rem .75rem;border:1px solid var(--line);border-radius:4px;\
white-space:pre-wrap;overflow-wrap:anywhere;font:.9rem/1.45 ui-monospace,monospace}\n\
li{margin:.5rem 0;overflow-wrap:anywhere}\n\
form{display:inline-block;margin:1rem 1rem 0 0}\n\
button{font:inherit;padding:.5rem 1.25rem;border:2px solid var(--strong);border-radius:4px;\
background:Canvas;color:CanvasText}\n\
button.yes{background:var(--strong);color:Canvas}\n";

/// The open requests. `base` is the path of the page, with a slash at its end.
pub(super) fn list(base: &str, person: &str, requests: &[Request]) -> String {
    let mut body = format!("<h1>Calls that wait for people</h1>\n<p>You approve as {}.</p>\n", escaped(person));
    if requests.is_empty() {
        body.push_str("<p>Nothing waits for approval.</p>\n");
    }
    body.push_str("<ul>\n");
    for request in requests {
        let title = escaped(&words::title(request));
        let _ = writeln!(body, "<li><a href=\"{base}r/{}\">{title}</a></li>", request.id);
    }
    body.push_str("</ul>\n");
    whole(base, "Calls that wait for people", &body)
}

/// One request, with what can be done about it.
pub(super) fn one(base: &str, form: &str, request: &Request, sections: &[Section], standing: &Standing) -> String {
    let title = words::title(request);
    let mut body = format!("<p><a href=\"{base}\">All open requests</a></p>\n<h1>{}</h1>\n", escaped(&title));
    for (heading, lines) in sections {
        let _ = writeln!(body, "<h2>{heading}</h2>\n<pre>{}</pre>", escaped(&lines.join("\n")));
    }
    if !standing.refused {
        for (word, label, class) in [("approve", "Approve this call", "yes"), ("refuse", "Refuse it", "no")] {
            let _ = writeln!(
                body,
                "<form method=\"post\" action=\"{base}r/{}/{word}\"><input type=\"hidden\" name=\"form\" value=\"{form}\">\
                 <button class=\"{class}\">{label}</button></form>",
                request.id
            );
        }
    }
    whole(base, &title, &body)
}

/// A page that says why there is no other.
pub(super) fn message(base: &str, text: &str) -> String {
    whole(base, "Approvals", &format!("<h1>Approvals</h1>\n<p role=\"alert\">{}</p>\n", escaped(text)))
}

fn whole(base: &str, title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{}</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><link rel=\"stylesheet\" href=\"{base}style.css\"></head>\n\
         <body><main>\n{body}</main></body>\n</html>\n",
        escaped(title)
    )
}

/// As text in HTML, in an attribute too.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_no_markup() {
        assert_eq!(escaped("<b a=\"x\" b='y'>&amp;"), "&lt;b a=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
        assert!(!message("/x/", "<script>").contains("<script"));
    }
}

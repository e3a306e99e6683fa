//! Policies in numbers.

/// As operators write them: the default five for every call, and the rest about tools, classes, groups and servers, most of them others than `tool`'s.
pub fn mixed(count: usize, tool: &str) -> String {
    more(count, |n| match n % 5 {
        0 => format!(
            "forbid (principal, action, resource == Tool::\"server{n}#delete\") when {{ context.labels.contains(\"l{n}\") }};"
        ),
        1 => {
            format!("forbid (principal, action, resource in Server::\"server{n}\") when {{ context.hour < 6 }};")
        }
        2 => format!("permit (principal in Group::\"g{n}\", action, resource in Class::\"read\");"),
        3 => format!(
            "forbid (principal, action == Action::\"call\", resource == Tool::\"{tool}\") when {{ context.texts.hasTag(\"/to\") && context.texts.getTag(\"/to\") like \"*@x{n}.example\" }};"
        ),
        _ => format!(
            "forbid (principal in Group::\"g{n}\", action, resource) when {{ context.risk.contains(Risk::\"high\") }};"
        ),
    })
}

/// None is about another tool: nothing to leave out.
pub fn all_apply(count: usize) -> String {
    more(count, |n| format!("forbid (principal, action, resource) when {{ context.labels.contains(\"l{n}\") }};"))
}

/// The default policies and so many more that there are `count`.
fn more(count: usize, policy: impl Fn(usize) -> String) -> String {
    let more = (5..count).map(|n| format!("@id(\"n{n}\") {}\n", policy(n)));
    std::iter::once(attest_policy::DEFAULT.to_owned()).chain(more).collect()
}

//! Figures beside what is wanted of them. Nothing fails: a machine with other work misses them.

/// A figure that should not be more.
pub(crate) fn at_most(figure: f64, goal: f64) -> String {
    format!("{} (goal <= {goal})", rounded(figure))
}

/// A figure that should not be less.
pub(crate) fn at_least(figure: f64, goal: f64) -> String {
    format!("{} (goal >= {goal})", rounded(figure))
}

fn rounded(figure: f64) -> String {
    let digits = if figure.abs() < 100.0 { 2 } else { 0 };
    format!("{figure:.digits$}")
}

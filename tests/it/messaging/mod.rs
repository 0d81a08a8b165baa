mod budgets;
mod mail;

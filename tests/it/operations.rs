mod audit;
mod health;

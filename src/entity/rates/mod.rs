pub mod exchange_rate;

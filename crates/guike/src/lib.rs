//! The façade: import, backtest, forecast, tier, report as plain functions

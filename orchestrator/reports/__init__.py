"""What people get to see of a batch: contact sheet, results, money, notices."""

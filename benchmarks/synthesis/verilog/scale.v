// SFN's scaling step in front of a threshold unit, where it is not folded into thresholds and weights.
//
// MULTIPLY: v * factor / 256, an M-bit factor; the shift by 8 is wiring. Else: v / 2^amount, a barrel shifter.
module scale #(parameter W = 16, parameter M = 8, parameter MULTIPLY = 1, parameter S = $clog2(W)) (
    input              clk,
    input  [W-1:0]     v,
    input  [M-1:0]     factor,
    input  [S-1:0]     amount,
    output reg [W-1:0] scaled
);
    wire signed [W-1:0] membrane = v;
    wire signed [M:0] times = {1'b0, factor};
    wire signed [W+M-1:0] product = membrane * times;
    wire signed [W-1:0] shifted = membrane >>> amount;
    always @(posedge clk) scaled <= MULTIPLY ? product[W+M-1:M] : shifted;
endmodule
